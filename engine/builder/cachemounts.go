package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/xcengine/xc/engine/internal/fstree"
)

// cacheMounts keeps the directories of RUN --mount=type=cache: one for each id, and more where a private one was busy.
type cacheMounts struct {
	dir string

	mu   sync.Mutex
	busy map[string]*cacheUse
}

// cacheUse is a directory in use.
type cacheUse struct {
	users int
	lock  chan struct{} // full while a "locked" user has it
}

func newCacheMounts(dir string) *cacheMounts {
	return &cacheMounts{dir: dir, busy: map[string]*cacheUse{}}
}

// take returns the directory of an id and marks it used until release is called.
func (c *cacheMounts) take(ctx context.Context, id string, sharing instructions.ShareMode) (dir string, release func(), err error) {
	sum := sha256.Sum256([]byte(id))
	name := hex.EncodeToString(sum[:16])
	c.mu.Lock()
	if sharing == instructions.MountSharingPrivate {
		for n := 0; c.busy[name] != nil; n++ {
			name = fmt.Sprintf("%s.%d", hex.EncodeToString(sum[:16]), n)
		}
	}
	use := c.busy[name]
	if use == nil {
		use = &cacheUse{lock: make(chan struct{}, 1)}
		c.busy[name] = use
	}
	use.users++
	c.mu.Unlock()
	leave := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if use.users--; use.users == 0 {
			delete(c.busy, name)
		}
	}
	if sharing != instructions.MountSharingLocked {
		return filepath.Join(c.dir, name), leave, nil
	}
	select {
	case use.lock <- struct{}{}:
		return filepath.Join(c.dir, name), func() { <-use.lock; leave() }, nil
	case <-ctx.Done():
		leave()
		return "", nil, ctx.Err()
	}
}

// cacheMount mounts a directory that outlives the build. What is in it is no part of the step's key.
func (st *stage) cacheMount(ctx context.Context, m *mounts, w *instructions.Mount, target string) error {
	id := w.CacheID
	if id == "" {
		id = path.Clean(target)
	}
	if w.From != "" {
		id += " from " + w.From + " " + w.Source
	}
	dir, release, err := st.b.s.mounts.take(ctx, id, w.CacheSharing)
	if err != nil {
		return err
	}
	m.undo = append(m.undo, func(context.Context) error { release(); return nil })
	m.keys = append(m.keys, fmt.Sprintf("cache %s %s %t", id, target, w.ReadOnly))
	err = os.Mkdir(dir, 0o700)
	if err == nil {
		err = st.fillCache(ctx, dir, w)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	t := time.Now()
	m.bind(dir, target, w.ReadOnly)
	return os.Chtimes(dir, t, t)
}

// fillCache gives a new cache directory its owner and mode, and the files that it is to begin with.
func (st *stage) fillCache(ctx context.Context, dir string, w *instructions.Mount) error {
	if w.From != "" {
		if err := st.copyInto(ctx, dir, w); err != nil {
			return errors.Join(err, os.RemoveAll(dir))
		}
	}
	return errors.Join(os.Chown(dir, number(w.UID), number(w.GID)), os.Chmod(dir, fileMode(w.Mode, 0o755)))
}

func (st *stage) copyInto(ctx context.Context, dir string, w *instructions.Mount) error {
	src, err := st.source(ctx, w.From)
	if err != nil {
		return err
	}
	host, err := src.hostPath("/" + strings.TrimPrefix(w.Source, "/"))
	if err != nil {
		return err
	}
	from, err := fstree.OpenDir(host)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := fstree.OpenDir(dir)
	if err != nil {
		return err
	}
	defer to.Close()
	return fstree.Copy(ctx, to, from)
}

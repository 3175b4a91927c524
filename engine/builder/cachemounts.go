package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
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
	users   int           // with those who wait
	holders int           // without
	alone   bool          // the one holder wants no other
	changed chan struct{} // closed when a holder leaves

	making sync.Mutex // held while the directory is made and filled
}

func newCacheMounts(dir string) *cacheMounts {
	return &cacheMounts{dir: dir, busy: map[string]*cacheUse{}}
}

func cacheName(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// take waits for a directory and marks it used until release is called. Who takes it alone waits for all others, and they for
// him.
func (c *cacheMounts) take(ctx context.Context, name string, alone bool) (release func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	use := c.enter(name)
	for use.alone || alone && use.holders > 0 {
		changed := use.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		c.mu.Lock()
		if err := ctx.Err(); err != nil {
			c.leave(name, use)
			return nil, err
		}
	}
	return c.hold(name, use, alone), nil
}

// takeFree marks a directory of the name's kind that nobody uses.
func (c *cacheMounts) takeFree(name string) (free string, release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	free = name
	for n := 0; c.busy[free] != nil; n++ {
		free = fmt.Sprintf("%s.%d", name, n)
	}
	return free, c.hold(free, c.enter(free), false)
}

func (c *cacheMounts) enter(name string) *cacheUse {
	use := c.busy[name]
	if use == nil {
		use = &cacheUse{changed: make(chan struct{})}
		c.busy[name] = use
	}
	use.users++
	return use
}

func (c *cacheMounts) leave(name string, use *cacheUse) {
	if use.users--; use.users == 0 {
		delete(c.busy, name)
	}
}

func (c *cacheMounts) hold(name string, use *cacheUse, alone bool) (release func()) {
	use.holders++
	use.alone = alone
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		use.holders--
		use.alone = false
		close(use.changed)
		use.changed = make(chan struct{})
		c.leave(name, use)
	}
}

// make makes the directory of a name that is taken, unless it is there. It comes to its place whole: what a daemon that is killed
// has filled in part does not serve as a cache.
func (c *cacheMounts) make(name string, fill func(dir string) error) (dir string, err error) {
	c.mu.Lock()
	use := c.busy[name]
	c.mu.Unlock()
	use.making.Lock()
	defer use.making.Unlock()
	dir = filepath.Join(c.dir, name)
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	begun, err := os.MkdirTemp(filepath.Join(filepath.Dir(c.dir), "running"), "cache-")
	if err != nil {
		return "", err
	}
	if err = fill(begun); err == nil {
		err = os.Rename(begun, dir)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(begun))
	}
	return dir, nil
}

// cacheWish is a cache mount that a step wants.
type cacheWish struct {
	mount *instructions.Mount
	name  string // of the directory
	spec  int    // among the step's mounts
}

// cacheMount mounts a directory that outlives the build. What is in it is no part of the step's key.
func (st *stage) cacheMount(ctx context.Context, m *mounts, w *instructions.Mount, target string) error {
	id := w.CacheID
	if id == "" {
		id = path.Clean(target)
	}
	if ns := st.b.set.namespace; ns != "" {
		id = "namespace " + ns + " " + id
	}
	if w.From != "" {
		id += " from " + w.From + " " + w.Source
		if _, err := st.source(ctx, w.From); err != nil {
			return err
		}
	}
	m.keys = append(m.keys, fmt.Sprintf("cache %s %s %t", id, target, w.ReadOnly))
	m.caches = append(m.caches, cacheWish{w, cacheName(id), m.bind("", target, w.ReadOnly)})
	return nil
}

// openCaches takes the directories of a step's cache mounts. All steps take them in one order and each once, so that no two wait
// for each other; nor does one that has them wait for anything but its command.
func (st *stage) openCaches(ctx context.Context, m *mounts) error {
	c := st.b.s.mounts
	keep := func(release func()) {
		m.undo = append(m.undo, func(context.Context) error { release(); return nil })
	}
	alone := map[string]bool{}
	for _, w := range m.caches {
		if w.mount.CacheSharing != instructions.MountSharingPrivate {
			alone[w.name] = alone[w.name] || w.mount.CacheSharing == instructions.MountSharingLocked
		}
	}
	for _, name := range slices.Sorted(maps.Keys(alone)) {
		release, err := c.take(ctx, name, alone[name])
		if err != nil {
			return err
		}
		keep(release)
	}
	for _, w := range m.caches {
		name := w.name
		if w.mount.CacheSharing == instructions.MountSharingPrivate {
			var release func()
			name, release = c.takeFree(name)
			keep(release)
		}
		dir, err := c.make(name, func(dir string) error { return st.fillCache(ctx, dir, w.mount) })
		if err != nil {
			return err
		}
		m.specs[w.spec].Source = dir
		t := time.Now()
		if err := os.Chtimes(dir, t, t); err != nil {
			return err
		}
	}
	return nil
}

// fillCache gives a new cache directory the files that it is to begin with, and its owner and mode.
func (st *stage) fillCache(ctx context.Context, dir string, w *instructions.Mount) error {
	if w.From != "" {
		if err := st.copyInto(ctx, dir, w); err != nil {
			return err
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

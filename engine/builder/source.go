package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fstree"
)

// source is a tree that files are copied from.
type source struct {
	once sync.Once
	err  error

	dir  string             // of the host
	root engine.ContainerID // the clone that it is, if it is one
	// foreign: the files came from a client's machine, so their owners mean nothing here.
	foreign bool

	top  engine.LayerID // whose files these are; empty: nothing says that they stay what they are
	sums *sums
}

func newSource(dir string) *source { return &source{dir: dir, sums: newSums()} }

// maxSums bounds how many digests of paths are remembered.
const maxSums = 4096

// sums remembers the digests of paths of trees that do not change. It is safe for concurrent use.
type sums struct {
	mu sync.Mutex
	of map[place]string
}

// place is a path in layers, or in the only tree that there is.
type place struct {
	top  engine.LayerID
	path string
}

func newSums() *sums { return &sums{of: map[place]string{}} }

func (s *sums) get(at place) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum, ok := s.of[at]
	return sum, ok
}

func (s *sums) put(at place, sum string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.of) >= maxSums {
		clear(s.of)
	}
	s.of[at] = sum
}

// source finds the tree that a command's "from" names: a stage, an image, or without a name the context.
func (st *stage) source(ctx context.Context, from string) (*source, error) {
	b := st.b
	if from == "" {
		if b.context == nil {
			return nil, invalidf("missing build context")
		}
		return b.context, nil
	}
	if i, ok := b.stageNamed(from, st.number); ok {
		other, err := b.await(ctx, st, i)
		if err != nil {
			return nil, err
		}
		return b.rootOf(ctx, other.image.Top)
	}
	if strings.EqualFold(from, scratch) {
		return b.rootOf(ctx, "")
	}
	if n, err := strconv.Atoi(from); err == nil { // never an image
		why := "index out of bounds"
		if n == st.number {
			why = "refers to current build stage"
		}
		return nil, invalidf("invalid from flag value %s: %s", from, why)
	}
	img, err := b.image(ctx, from, b.req.Platform, st.report)
	if err != nil {
		return nil, &engine.Error{Op: "build", Kind: engine.KindOf(err), Resource: engine.ResourceBuild, Err: fmt.Errorf("invalid from flag value %s: %s", from, cause(err))}
	}
	return b.rootOf(ctx, img.Top)
}

// rootOf mounts a clone of layers for as long as the build runs.
func (b *build) rootOf(ctx context.Context, top engine.LayerID) (*source, error) {
	b.mu.Lock()
	src := b.sources[top]
	if src == nil {
		if src = newSource(""); top != "" {
			src.top, src.sums = top, b.s.sums
		}
		b.sources[top] = src
	}
	b.mu.Unlock()
	src.once.Do(func() {
		id := engine.ContainerID(engine.NewID())
		b.mu.Lock()
		src.root = id
		b.mu.Unlock()
		if src.err = b.s.Roots.Create(ctx, id, top, nil); src.err == nil {
			src.dir, src.err = b.s.Roots.Mount(ctx, id)
		}
	})
	return src, src.err
}

// hostPath is where a path of the tree is on the host. It has no links in it.
func (s *source) hostPath(name string) (string, error) {
	tree, err := fstree.Open(s.dir)
	if err != nil {
		return "", err
	}
	defer tree.Close()
	return hostPath(tree, s.dir, name)
}

// hostPath is where a path of a tree is on the host, which has the tree at dir.
func hostPath(tree *fstree.Tree, dir, name string) (string, error) {
	p, err := tree.Find(name, true)
	if err != nil {
		return "", notThere(name, err)
	}
	return filepath.Join(dir, p.Path), p.Close()
}

// notThere tells a path that was not found as the user wrote it.
func notThere(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return invalidf("stat %s: file does not exist", strings.TrimPrefix(name, "/"))
	}
	return err
}

// digest is over everything that a copy of a path keeps but the times: names, kinds, modes, owners and contents.
func (s *source) digest(ctx context.Context, name string) (string, error) {
	if sum, ok := s.sums.get(place{s.top, name}); ok {
		return sum, nil
	}
	tree, err := fstree.Open(s.dir)
	if err != nil {
		return "", err
	}
	defer tree.Close()
	p, err := tree.Find(name, true)
	if err != nil {
		return "", notThere(name, err)
	}
	defer p.Close()
	h := &hasher{Hash: sha256.New(), foreign: s.foreign}
	if err := h.file(ctx, p.Dir, p.Name, ""); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	s.sums.put(place{s.top, name}, sum)
	return sum, nil
}

// hasher writes files into a hash, so that no two trees write the same.
type hasher struct {
	hash.Hash
	foreign bool
}

func (h *hasher) file(ctx context.Context, dir *fstree.Dir, name, as string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, st, err := dir.Node(name)
	if err != nil {
		return err
	}
	if h.foreign {
		n.UID, n.GID = 0, 0
	}
	fmt.Fprintf(h, "%q %v %d %d %d %q %q\n", as, n.Mode, n.UID, n.GID, n.Rdev, n.Target, n.Xattrs["security.capability"])
	switch {
	case n.Mode.IsDir():
		return h.children(ctx, dir, name, as)
	case !n.Mode.IsRegular():
		return nil
	}
	f, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprintf(h, "%d\n", st.Size)
	_, err = io.Copy(h, f)
	return err
}

func (h *hasher) children(ctx context.Context, dir *fstree.Dir, name, as string) error {
	sub, err := dir.OpenDir(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	names, err := sub.Names()
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := h.file(ctx, sub, n, path.Join(as, n)); err != nil {
			return err
		}
	}
	return nil
}

// wild reports whether a path is a pattern.
func wild(name string) bool {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '\\':
			i++
		case '*', '?', '[':
			return true
		}
	}
	return false
}

// match lists the paths of the tree that fit a pattern, sorted. A star stands for no slash; "**" for any directories.
func (s *source) match(pattern string) ([]string, error) {
	tree, err := fstree.Open(s.dir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	found := []string{"/"}
	for _, word := range strings.Split(strings.Trim(path.Clean("/"+pattern), "/"), "/") {
		var next []string
		for _, at := range found {
			more, err := step(tree, at, word)
			if err != nil {
				return nil, err
			}
			next = append(next, more...)
		}
		found = next
	}
	return found, nil
}

// step lists the names of one directory that fit one word of a pattern.
func step(tree *fstree.Tree, at, word string) ([]string, error) {
	p, err := tree.Find(at, true)
	if err != nil {
		return nil, nil //nolint:nilerr // a dangling link or the like fits nothing
	}
	defer p.Close()
	dir, err := p.OpenDir()
	if err != nil {
		return nil, nil //nolint:nilerr // a file has nothing in it
	}
	defer dir.Close()
	names, err := dir.Names()
	if err != nil {
		return nil, err
	}
	var found []string
	if word == "**" {
		found = append(found, at)
	}
	for _, name := range names {
		here := path.Join(at, name)
		if word == "**" {
			below, err := deeper(tree, dir, name, here)
			if err != nil {
				return nil, err
			}
			found = append(found, below...)
			continue
		}
		ok, err := path.Match(word, name)
		if err != nil {
			return nil, invalid(err)
		}
		if ok {
			found = append(found, here)
		}
	}
	return found, nil
}

// deeper is what "**" finds in a name: the directories at and below it.
func deeper(tree *fstree.Tree, dir *fstree.Dir, name, here string) ([]string, error) {
	if st, err := dir.Lstat(name); err != nil || !st.Mode.IsDir() {
		return nil, err
	}
	return step(tree, here, "**")
}

package layer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is what happened to a file. The values are those of Docker's API.
type Kind uint8

// The kinds of change.
const (
	Modified Kind = iota
	Added
	Deleted
)

// Change is one file that differs from what was before. Path begins with a slash.
type Change struct {
	Path string
	Kind Kind
}

// Changes is what distinguishes a tree from the one that it was made of: OverlayChanges, TreeChanges.
type Changes interface {
	// walk calls visit for what differs and for every directory on the way, a directory before what is in it, names in
	// order. visit may use node.dir until it returns, and that of a directory until everything in it was visited.
	walk(ctx context.Context, visit func(n *node) error) error
}

// node is one file of a walk.
type node struct {
	path string // relative, without a leading slash; "." is the root
	dir  int    // open directory that has it, and its name there
	name string
	st   info  // meaningless when deleted
	old  *info // what was there before, nil for nothing
	// deleted: the file is gone. opaque: a directory hides everything that was there before.
	deleted, opaque bool
	// changed: the file itself differs in what Docker looks at; present: it must be in a layer's tar.
	changed, present bool
	// hidden are names that an opaque directory hides.
	hidden []string
}

func (n *node) kind() Kind {
	switch {
	case n.deleted:
		return Deleted
	case n.old == nil:
		return Added
	}
	return Modified
}

// List lists changes sorted by path, as docker diff does: a directory that has something changed in it is modified, what
// was in a deleted directory is not named, and the time of a directory does not count.
func List(ctx context.Context, c Changes) ([]Change, error) {
	var all []Change
	var above parents
	err := c.walk(ctx, func(n *node) error {
		if !n.changed && len(n.hidden) == 0 {
			if n.st.isDir() {
				above.push(*n)
			}
			return nil
		}
		for _, p := range above.take(n.path) {
			if p.path != "." {
				all = append(all, Change{"/" + p.path, Modified})
			}
		}
		if n.path != "." {
			all = append(all, Change{"/" + n.path, n.kind()})
		}
		for _, name := range n.hidden {
			all = append(all, Change{"/" + join(n.path, name), Deleted})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return all, err
}

// parents are directories that were passed on the way and are not changed themselves; they count as soon as something in
// them does.
type parents []node

func (p *parents) push(n node) {
	p.drop(n.path)
	*p = append(*p, n)
}

// take returns the directories above path and forgets all.
func (p *parents) take(path string) []node {
	p.drop(path)
	all := *p
	*p = nil
	return all
}

func (p *parents) drop(path string) {
	*p = slices.DeleteFunc(*p, func(d node) bool { return d.path != "." && !strings.HasPrefix(path, d.path+"/") })
}

// Usage is the sum of the sizes of all files in a tree, in bytes; a file with several names counts once, and those of the paths in
// without do not count.
func Usage(ctx context.Context, root string, without map[string]bool) (int64, error) {
	fd, err := openDir(unix.AT_FDCWD, root)
	if err != nil {
		return 0, at("open", root, err)
	}
	defer unix.Close(fd)
	u := usage{seen: map[inode]struct{}{}, without: without}
	err = u.add(ctx, fd, "")
	return u.sum, err
}

type inode struct{ dev, ino uint64 }

type usage struct {
	sum     int64
	seen    map[inode]struct{}
	without map[string]bool
}

func (u *usage) add(ctx context.Context, fd int, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	names, err := readNames(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		st, err := statAt(fd, name)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return at("stat", name, err)
		}
		path := dir + name
		if !st.isDir() {
			if !u.without[path] {
				u.file(&st)
			}
			continue
		}
		sub, err := openDir(fd, name)
		if errors.Is(err, unix.ENOENT) || isLinkError(err) {
			continue
		}
		if err != nil {
			return at("open", name, err)
		}
		err = u.add(ctx, sub, path+"/")
		unix.Close(sub)
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *usage) file(st *info) {
	if st.nlink > 1 {
		id := inode{st.dev, st.ino}
		if _, ok := u.seen[id]; ok {
			return
		}
		u.seen[id] = struct{}{}
	}
	u.sum += st.size
}

// SizeOf is the sum of the sizes of all files that were added or modified, in bytes; a file with several names counts once.
func SizeOf(ctx context.Context, c Changes) (int64, error) {
	u := usage{seen: map[inode]struct{}{}}
	err := c.walk(ctx, func(n *node) error {
		if n.present && !n.deleted && !n.st.isDir() {
			u.file(&n.st)
		}
		return nil
	})
	return u.sum, err
}

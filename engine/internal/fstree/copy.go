package fstree

import (
	"context"
	"errors"
	"io/fs"
	"path"
)

// Copy fills the directory to with copies of what from holds, owners, modes, times, attributes, devices and hard links
// included; sockets are left out, and so is what vanishes meanwhile. It stops when ctx ends.
func Copy(ctx context.Context, to, from *Dir) error {
	c := &copier{root: to, first: map[inode]string{}}
	return c.dir(ctx, to, from, ".")
}

type inode struct{ dev, ino uint64 }

type copier struct {
	root  *Dir
	first map[inode]string // where the first name of a file with several links was copied to, below root
}

func (c *copier) dir(ctx context.Context, to, from *Dir, at string) error {
	names, err := from.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.one(ctx, to, from, name, path.Join(at, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (c *copier) one(ctx context.Context, to, from *Dir, name, at string) error {
	n, st, err := from.Node(name)
	if err != nil {
		return err
	}
	switch {
	case n.Mode.IsDir():
		return c.subdir(ctx, to, from, name, at, n)
	case n.Mode.Type() == fs.ModeSocket:
		return nil
	}
	if st.Links > 1 {
		if first, ok := c.first[inode{st.Dev, st.Ino}]; ok {
			return c.link(to, name, first)
		}
		c.first[inode{st.Dev, st.Ino}] = at
	}
	if !n.Mode.IsRegular() {
		return to.Make(name, n, nil)
	}
	f, err := from.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(to.Make(name, n, f), f.Close())
}

func (c *copier) subdir(ctx context.Context, to, from *Dir, name, at string, n Node) error {
	source, err := from.OpenDir(name)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := to.Make(name, n, nil); err != nil {
		return err
	}
	made, err := to.OpenDir(name)
	if err != nil {
		return err
	}
	defer made.Close()
	if err := c.dir(ctx, made, source, at); err != nil {
		return err
	}
	return to.Touch(name, n.ModTime)
}

func (c *copier) link(to *Dir, name, first string) error {
	dir, err := c.root.Descend(path.Dir(first))
	if err != nil {
		return err
	}
	return errors.Join(to.Link(dir, path.Base(first), name), dir.Close())
}

// Descend opens a directory below d; no name on the way may be a link.
func (d *Dir) Descend(rel string) (*Dir, error) {
	at, err := d.OpenDir(".")
	if err != nil {
		return nil, err
	}
	for _, name := range steps(rel) {
		next, err := at.OpenDir(name)
		if err := errors.Join(err, at.Close()); err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

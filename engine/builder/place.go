package builder

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/internal/fstree"
)

// write copies every source to its place below the root.
func (c *copying) write(ctx context.Context, root string) error {
	tree, err := fstree.Open(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	owner, err := c.owner(tree)
	if err != nil {
		return err
	}
	dest := c.dest
	if !path.IsAbs(dest) {
		dest = path.Join("/", c.st.config.Process.WorkDir, dest)
	}
	intoDir := strings.HasSuffix(c.dest, "/") || path.Base(c.dest) == "." || len(c.items) > 1 || c.parents
	for _, it := range c.items {
		w := &writer{owner: owner, chmod: c.chmod, exclude: c.exclude}
		to := path.Join(dest, it.keep)
		if c.link {
			dir := to
			if !it.isDir && !it.extract && !intoDir {
				dir = path.Dir(to)
			}
			if err := replaceLinks(tree, dir); err != nil {
				return err
			}
		}
		switch {
		case it.extract:
			err = c.extract(ctx, tree, root, it, to, owner)
		case it.isDir:
			err = w.directory(ctx, tree, it, to)
		default:
			err = w.file(ctx, tree, it, to, intoDir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ownerIn finds "user[:group]" in the accounts of a root.
func ownerIn(tree *fstree.Tree, spec string) (*accounts.Owner, error) {
	files, err := accounts.Read(tree.OpenFile)
	if err != nil {
		return nil, err
	}
	return files.Owner(spec)
}

// owner is whom the copies are given to: whom the command names, else root; files of a stage or image keep their own.
func (c *copying) owner(tree *fstree.Tree) (*accounts.Owner, error) {
	switch {
	case c.chown != "":
		spec := c.chown
		if _, err := strconv.ParseUint(spec, 10, 32); err == nil {
			spec += ":" + spec // the same number is the group's
		}
		o, err := ownerIn(tree, spec)
		if err != nil {
			return nil, fmt.Errorf("unable to convert uid/gid chown string to host mapping: %w", err)
		}
		return o, nil
	case c.foreign:
		return &accounts.Owner{}, nil
	}
	return keepOwner, nil
}

// directory copies what a directory holds into another.
func (w *writer) directory(ctx context.Context, tree *fstree.Tree, it item, to string) error {
	from, err := it.open()
	if err != nil {
		return err
	}
	defer from.Close()
	made, err := makeDirs(tree, to, w.owner)
	if err != nil {
		return err
	}
	defer made.Close()
	w.to = made
	return w.contents(ctx, made, from, "")
}

// file copies a file to a path, or into the directory that stands there or is asked for.
func (w *writer) file(ctx context.Context, tree *fstree.Tree, it item, to string, intoDir bool) error {
	from, err := fstree.Open(it.src.dir)
	if err != nil {
		return err
	}
	defer from.Close()
	p, err := from.Find(it.path, true)
	if err != nil {
		return err
	}
	defer p.Close()
	if intoDir || isDir(tree, to) {
		to = path.Join(to, it.name)
	}
	dir, err := makeDirs(tree, path.Dir(to), w.owner)
	if err != nil {
		return err
	}
	defer dir.Close()
	return w.as(ctx, dir, p.Dir, p.Name, path.Base(to), cmp.Or(strings.TrimPrefix(it.path, "/"), it.name))
}

func isDir(tree *fstree.Tree, name string) bool {
	p, err := tree.Find(name, true)
	if err != nil {
		return false
	}
	defer p.Close()
	st, err := p.Dir.Lstat(p.Name)
	return err == nil && st.Mode.IsDir()
}

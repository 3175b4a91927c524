package builder

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"

	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/internal/fstree"
)

// keepOwner leaves files with the owners that they have.
var keepOwner *accounts.Owner

// writer copies files into a directory, over what is there.
type writer struct {
	to      *fstree.Dir                    // hard links are made of names below it
	owner   *accounts.Owner                // nil: the source's
	chmod   *chmod                         // nil: the source's modes
	exclude *patternmatcher.PatternMatcher // of paths below the source; nil: none

	first map[inode]string
}

type inode struct{ dev, ino uint64 }

// one copies a file, or a directory and what it holds. rel is its path below the source, and below to.
func (w *writer) one(ctx context.Context, to, from *fstree.Dir, name, rel string) error {
	return w.as(ctx, to, from, name, name, rel)
}

// as is one under another name.
func (w *writer) as(ctx context.Context, to, from *fstree.Dir, name, as, rel string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, st, err := from.Node(name)
	if err != nil {
		return err
	}
	excluded, err := w.excluded(rel)
	if err != nil {
		return err
	}
	if excluded && (!n.Mode.IsDir() || !w.exclude.Exclusions()) {
		return nil
	}
	if n.Mode.Type() == fs.ModeSocket {
		return nil
	}
	w.dress(&n)
	if n.Mode.IsDir() {
		return w.subdir(ctx, to, from, name, as, rel, n, excluded)
	}
	if err := to.RemoveAll(as); err != nil {
		return err
	}
	if done, err := w.link(to, st, as, rel); done || err != nil {
		return err
	}
	if !n.Mode.IsRegular() {
		return to.Make(as, n, nil)
	}
	f, err := from.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(to.Make(as, n, f), f.Close())
}

func (w *writer) excluded(rel string) (bool, error) {
	if w.exclude == nil || rel == "" {
		return false, nil
	}
	return w.exclude.MatchesOrParentMatches(rel)
}

func (w *writer) dress(n *fstree.Node) {
	if w.owner != nil {
		n.UID, n.GID = w.owner.UID, w.owner.GID
	}
	if w.chmod != nil && n.Mode.Type() != fs.ModeSymlink {
		n.Mode = n.Mode.Type() | w.chmod.mode(n.Mode)&^fs.ModeType
	}
}

// link makes a further name of a file that was copied under its first.
func (w *writer) link(to *fstree.Dir, st fstree.Stat, as, rel string) (bool, error) {
	if st.Links < 2 || w.to == nil {
		return false, nil
	}
	id := inode{st.Dev, st.Ino}
	first, ok := w.first[id]
	if !ok {
		if w.first == nil {
			w.first = map[inode]string{}
		}
		w.first[id] = rel
		return false, nil
	}
	dir, err := w.to.Descend(path.Dir(first))
	if err != nil {
		return false, err
	}
	return true, errors.Join(to.Link(dir, path.Base(first), as), dir.Close())
}

// subdir copies a directory. One that is excluded is made only when something in it is not.
func (w *writer) subdir(ctx context.Context, to, from *fstree.Dir, name, as, rel string, n fstree.Node, excluded bool) error {
	source, err := from.OpenDir(name)
	if err != nil {
		return err
	}
	defer source.Close()
	if excluded {
		if any, err := w.anyIn(ctx, source, rel); err != nil || !any {
			return err
		}
	}
	if st, err := to.Lstat(as); err == nil && !st.Mode.IsDir() {
		if err := to.RemoveAll(as); err != nil {
			return err
		}
	}
	if err := to.Make(as, n, nil); err != nil {
		return err
	}
	made, err := to.OpenDir(as)
	if err != nil {
		return err
	}
	defer made.Close()
	if err := w.contents(ctx, made, source, rel); err != nil {
		return err
	}
	return to.Touch(as, n.ModTime)
}

// contents copies what a directory holds.
func (w *writer) contents(ctx context.Context, to, from *fstree.Dir, rel string) error {
	names, err := from.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := w.one(ctx, to, from, name, path.Join(rel, name)); err != nil {
			return err
		}
	}
	return nil
}

// anyIn reports whether a directory holds something that is not excluded.
func (w *writer) anyIn(ctx context.Context, dir *fstree.Dir, rel string) (bool, error) {
	names, err := dir.Names()
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		at := path.Join(rel, name)
		if excluded, err := w.excluded(at); err != nil || !excluded {
			return err == nil, err
		}
		st, err := dir.Lstat(name)
		if err != nil || !st.Mode.IsDir() {
			continue
		}
		sub, err := dir.OpenDir(name)
		if err != nil {
			return false, err
		}
		found, err := w.anyIn(ctx, sub, at)
		if err := errors.Join(err, sub.Close()); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// makeDirs finds a directory of a tree and makes what is missing of it, with the given owner.
func makeDirs(tree *fstree.Tree, name string, owner *accounts.Owner) (*fstree.Dir, error) {
	made, err := missing(tree, name)
	if err != nil {
		return nil, err
	}
	p, err := tree.MakeAll(name)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if owner != nil && (owner.UID != 0 || owner.GID != 0) {
		for _, at := range made {
			if err := giveDir(tree, at, *owner); err != nil {
				return nil, err
			}
		}
	}
	return p.OpenDir()
}

// missing lists what is not there of a path, outermost first.
func missing(tree *fstree.Tree, name string) ([]string, error) {
	var all []string
	for at := path.Clean(name); at != "/"; at = path.Dir(at) {
		p, err := tree.Find(at, true)
		if err == nil {
			err = p.Close()
			slices.Reverse(all)
			return all, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		all = append(all, at)
	}
	slices.Reverse(all)
	return all, nil
}

// replaceLinks makes directories of the links that lead to a path.
func replaceLinks(tree *fstree.Tree, name string) error {
	at := "/"
	for _, word := range strings.Split(strings.Trim(path.Clean(name), "/"), "/") {
		at = path.Join(at, word)
		p, err := tree.Find(at, false)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		st, err := p.Dir.Lstat(p.Name)
		if err == nil && st.Mode.Type() == fs.ModeSymlink {
			err = p.Dir.RemoveAll(p.Name)
		}
		if err := errors.Join(err, p.Close()); err != nil {
			return err
		}
		made, err := tree.MakeAll(at)
		if err != nil {
			return err
		}
		if err := made.Close(); err != nil {
			return err
		}
	}
	return nil
}

func giveDir(tree *fstree.Tree, name string, owner accounts.Owner) error {
	p, err := tree.Find(name, true)
	if err != nil {
		return err
	}
	defer p.Close()
	dir, err := p.OpenDir()
	if err != nil {
		return err
	}
	return errors.Join(dir.Dress(fstree.Node{Mode: fs.ModeDir | 0o755, UID: owner.UID, GID: owner.GID}), dir.Close())
}

package layer

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Without leaves out of changes what was added or modified at the named paths, relative without a leading slash: a file
// altogether, a directory as far as it was added and itself only.
func Without(c Changes, names map[string]bool) Changes { return without{c, names} }

type without struct {
	Changes
	names map[string]bool
}

func (w without) walk(ctx context.Context, visit func(*node) error) error {
	return w.Changes.walk(ctx, func(n *node) error {
		if !w.names[n.path] || n.deleted {
			return visit(n)
		}
		if !n.st.isDir() {
			return nil
		}
		if n.old == nil {
			n.changed, n.present = false, false
		}
		return visit(n)
	})
}

// Settle joins a layer that Apply extracted with overlayfs' marks with the layers below it, topmost first, as far as it
// could not be done without them: implied directories get the attributes that they have below, and hard links to files
// below become copies of those. It may be repeated.
func Settle(upper string, lowers []string, implied []string, unlinked []Link) error {
	fd, err := openDir(unix.AT_FDCWD, upper)
	if err != nil {
		return at("open", upper, err)
	}
	defer unix.Close(fd)
	var below stack
	defer func() { below.close() }()
	for _, l := range lowers {
		lower, err := openDir(unix.AT_FDCWD, l)
		if err != nil {
			return at("open", l, err)
		}
		below = append(below, lower)
	}
	if err := settleLinks(fd, below, unlinked); err != nil {
		return err
	}
	// Directories last, and deepest first: everything done in one changes its time.
	for i := len(implied) - 1; i >= 0; i-- {
		if err := settleDir(fd, below, implied[i]); err != nil {
			return at("settle", filepath.Join(upper, implied[i]), err)
		}
	}
	return nil
}

// lookup finds what a path is in merged layers. The caller closes dir.
func (s stack) lookup(name string) (dir int, base string, st *info, err error) {
	at, own := s, stack(nil)
	defer func() { own.close() }()
	for name != "." {
		first, rest := splitFirst(name)
		st, place, err := at.find(first)
		if st == nil || err != nil {
			return -1, "", nil, err
		}
		if rest == "" {
			dup, err := openDir(at[place], ".")
			return dup, first, st, err
		}
		next, err := at.sub(first, place)
		if err != nil {
			return -1, "", nil, err
		}
		own.close()
		at, own, name = next, next, rest
	}
	if len(at) == 0 {
		return -1, "", nil, nil
	}
	root, err := statFD(at[0])
	if err != nil {
		return -1, "", nil, err
	}
	dup, err := openDir(at[0], ".")
	return dup, ".", &root, err
}

func splitFirst(name string) (first, rest string) {
	for i := range len(name) {
		if name[i] == '/' {
			return name[:i], name[i+1:]
		}
	}
	return name, ""
}

func settleDir(upper int, below stack, name string) error {
	oldDir, base, st, err := below.lookup(name)
	if err != nil || st == nil {
		return err
	}
	defer unix.Close(oldDir)
	if !st.isDir() {
		return nil
	}
	src, err := openDir(oldDir, base)
	if err != nil {
		return err
	}
	defer unix.Close(src)
	parent, base, err := stack{upper}.open(name)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	dst, err := openDir(parent, base)
	if isLinkError(err) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	if err := (&copier{}).describe(src, dst, st); err != nil {
		return err
	}
	return finish(parent, base, st)
}

// open opens the directory that has a name, in one layer alone.
func (s stack) open(name string) (dir int, base string, err error) {
	at := s[0]
	for {
		first, rest := splitFirst(name)
		if rest == "" {
			if at == s[0] {
				at, err = openDir(at, ".")
			}
			return at, first, err
		}
		next, err := openDir(at, first)
		if at != s[0] {
			unix.Close(at)
		}
		if err != nil {
			return -1, "", err
		}
		at, name = next, rest
	}
}

func settleLinks(upper int, below stack, links []Link) error {
	copied := map[string]string{} // target below → the name that has its copy
	for _, l := range links {
		to, base, err := stack{upper}.open(l.Name)
		if err != nil {
			return at("open", path.Dir(l.Name), err)
		}
		err = settleLink(upper, to, base, below, l, copied)
		unix.Close(to)
		if err != nil {
			return at("link", l.Target, err)
		}
	}
	return nil
}

func settleLink(upper, to int, base string, below stack, l Link, copied map[string]string) error {
	if first, ok := copied[l.Target]; ok {
		from, name, err := stack{upper}.open(first)
		if err != nil {
			return err
		}
		defer unix.Close(from)
		if err := removeAt(to, base); err != nil {
			return err
		}
		return retry(func() error { return unix.Linkat(from, name, to, base, 0) })
	}
	from, name, st, err := below.lookup(l.Target)
	if err != nil {
		return err
	}
	if st == nil {
		return os.ErrNotExist
	}
	defer unix.Close(from)
	if st.isDir() {
		return unix.EPERM
	}
	if err := removeAt(to, base); err != nil {
		return err
	}
	copied[l.Target] = l.Name
	return copyOne(from, name, to, base, st)
}

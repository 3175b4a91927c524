package layer

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// OverlayChanges is what a directory with overlayfs' marks changes of the layers below it, topmost first. Without lower
// layers everything is added. The walk reads the directories themselves, whether they are mounted or not.
func OverlayChanges(upper string, lowers []string) Changes {
	return &overlayChanges{upper: upper, lowers: lowers}
}

type overlayChanges struct {
	upper  string
	lowers []string
}

func (o *overlayChanges) walk(ctx context.Context, visit func(*node) error) error {
	fd, err := openAt(unix.AT_FDCWD, o.upper, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return at("open", o.upper, err)
	}
	defer unix.Close(fd)
	var below stack
	defer func() { below.close() }()
	for _, l := range o.lowers {
		lower, err := openAt(unix.AT_FDCWD, l, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return at("open", l, err)
		}
		below = append(below, lower)
	}
	root := node{path: ".", dir: fd, name: "."}
	if root.st, err = statFD(fd); err != nil {
		return at("stat", o.upper, err)
	}
	if len(below) > 0 {
		old, err := statFD(below[0])
		if err != nil {
			return at("stat", o.lowers[0], err)
		}
		root.old = &old
		if root.changed, err = differs(&root, below[0], "."); err != nil {
			return err
		}
		root.present = root.changed
	}
	if err := visit(&root); err != nil {
		return err
	}
	return o.dir(ctx, level{fd: fd, below: below, path: "."}, visit)
}

// level is one directory of the walk.
type level struct {
	fd    int
	below stack
	path  string
	// covered: nothing of below shows through, because this directory or one above it is opaque.
	covered bool
}

// stack is one directory's places in the lower layers, topmost first.
type stack []int

func (s stack) close() {
	for _, fd := range s {
		unix.Close(fd)
	}
}

// find looks a name up as overlayfs does; place is where in s it was found.
func (s stack) find(name string) (old *info, place int, err error) {
	for i, fd := range s {
		st, err := statAt(fd, name)
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			continue
		case err != nil:
			return nil, 0, at("stat", name, err)
		case isWhiteout(&st):
			return nil, 0, nil
		}
		return &st, i, nil
	}
	return nil, 0, nil
}

// sub opens the directories that merge to one below s, beginning at a place where there is one.
func (s stack) sub(name string, place int) (stack, error) {
	var below stack
	for _, fd := range s[place:] {
		sub, err := openDir(fd, name)
		switch {
		case errors.Is(err, unix.ENOENT):
			continue
		case isLinkError(err): // a file, or a whiteout: what is below it does not show
			return below, nil
		case err != nil:
			below.close()
			return nil, at("open", name, err)
		}
		below = append(below, sub)
		if isOpaque(sub) {
			return below, nil
		}
	}
	return below, nil
}

// names lists what the merged directory has.
func (s stack) names() ([]string, error) {
	gone, there := map[string]bool{}, map[string]bool{}
	for _, fd := range s {
		names, err := readNames(fd)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if gone[name] || there[name] {
				continue
			}
			st, err := statAt(fd, name)
			if err != nil {
				return nil, at("stat", name, err)
			}
			if isWhiteout(&st) {
				gone[name] = true
			} else {
				there[name] = true
			}
		}
	}
	all := make([]string, 0, len(there))
	for name := range there {
		all = append(all, name)
	}
	slices.Sort(all)
	return all, nil
}

func (o *overlayChanges) dir(ctx context.Context, l level, visit func(*node) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	names, err := readNames(l.fd)
	if err != nil {
		return at("readdir", l.path, err)
	}
	slices.Sort(names)
	for _, name := range names {
		err := o.file(ctx, l, name, visit)
		// What vanishes while it is looked at was not changed.
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

func (o *overlayChanges) file(ctx context.Context, l level, name string, visit func(*node) error) error {
	n := node{path: join(l.path, name), dir: l.fd, name: name}
	var err error
	if n.st, err = statAt(l.fd, name); err != nil {
		return at("stat", n.path, err)
	}
	var place int
	if n.old, place, err = l.below.find(name); err != nil {
		return err
	}
	if isWhiteout(&n.st) {
		n.deleted, n.changed, n.present = true, n.old != nil, !l.covered
		return visit(&n)
	}
	n.changed = true
	if n.old != nil {
		if n.changed, err = differs(&n, l.below[place], name); err != nil {
			return err
		}
	}
	n.present = n.changed || l.covered || !n.st.isDir()
	if !n.st.isDir() {
		return visit(&n)
	}
	return o.subdir(ctx, l, place, &n, visit)
}

func (o *overlayChanges) subdir(ctx context.Context, l level, place int, n *node, visit func(*node) error) error {
	fd, err := openDir(n.dir, n.name)
	if err != nil {
		return at("open", n.path, err)
	}
	defer unix.Close(fd)
	sub := level{fd: fd, path: n.path, covered: l.covered}
	if n.old != nil && n.old.isDir() {
		if sub.below, err = l.below.sub(n.name, place); err != nil {
			return err
		}
		defer sub.below.close()
	}
	if n.opaque = isOpaque(fd); n.opaque {
		n.present, sub.covered = true, true
	}
	if sub.covered {
		if err := n.hide(fd, sub.below); err != nil {
			return err
		}
	}
	if err := visit(n); err != nil {
		return err
	}
	return o.dir(ctx, sub, visit)
}

// hide finds what a covered directory hides and does not have itself.
func (n *node) hide(fd int, lower stack) error {
	hidden, err := lower.names()
	if err != nil {
		return err
	}
	own, err := readNames(fd)
	if err != nil {
		return at("readdir", n.path, err)
	}
	n.hidden = slices.DeleteFunc(hidden, func(name string) bool { return slices.Contains(own, name) })
	return nil
}

// differs compares a file with what was before it, open in a directory, in what Docker looks at: content by size and time,
// attributes one by one, for a directory its attributes only.
func differs(n *node, oldDir int, oldName string) (bool, error) {
	a, b := &n.st, n.old
	if a.mode != b.mode || a.uid != b.uid || a.gid != b.gid || a.flags&portable != b.flags&portable {
		return true, nil
	}
	switch a.kind() {
	case unix.S_IFCHR, unix.S_IFBLK:
		if a.rdev != b.rdev {
			return true, nil
		}
	}
	if !a.isDir() && (a.size != b.size || a.mtime != b.mtime) {
		return true, nil
	}
	return xattrsDiffer(n, oldDir, oldName)
}

func xattrsDiffer(n *node, oldDir int, oldName string) (bool, error) {
	now, err := xattrsAt(n.dir, n.name, &n.st)
	if err != nil {
		return false, err
	}
	before, err := xattrsAt(oldDir, oldName, n.old)
	if err != nil {
		return false, err
	}
	if len(now) != len(before) {
		return true, nil
	}
	for key, v := range now {
		if w, ok := before[key]; !ok || v != w {
			return true, nil
		}
	}
	return false, nil
}

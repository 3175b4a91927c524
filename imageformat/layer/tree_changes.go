package layer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// TreeHints says what is known of how a tree was made of the other. They make a comparison quick, and let it find changes
// of content that size and time do not show.
type TreeHints struct {
	// Snapshot: the new tree began as a clone of the old one, with the same inodes and change times.
	Snapshot bool
	// Since is when the new tree was a finished copy of the old one: what was not changed after it is the same. Zero
	// when that is not known.
	Since time.Time
}

// TreeChanges is what distinguishes the tree in new from that in old. Without old, everything is added.
func TreeChanges(old, new string, hints TreeHints) Changes { //nolint:predeclared // they are what they are called
	return &treeChanges{old: old, new: new, hints: hints, since: timespec(hints.Since)}
}

type treeChanges struct {
	old, new string
	hints    TreeHints
	since    unix.Timespec
}

func (t *treeChanges) walk(ctx context.Context, visit func(*node) error) error {
	fd, err := openAt(unix.AT_FDCWD, t.new, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return at("open", t.new, err)
	}
	defer unix.Close(fd)
	root := node{path: ".", dir: fd, name: "."}
	if root.st, err = statFD(fd); err != nil {
		return at("stat", t.new, err)
	}
	old := -1
	if t.old != "" {
		if old, err = openAt(unix.AT_FDCWD, t.old, unix.O_RDONLY|unix.O_DIRECTORY, 0); err != nil {
			return at("open", t.old, err)
		}
		defer unix.Close(old)
		st, err := statFD(old)
		if err != nil {
			return at("stat", t.old, err)
		}
		root.old = &st
		if root.changed, err = t.differs(&root, old, "."); err != nil {
			return err
		}
		root.present = root.changed
	}
	if err := visit(&root); err != nil {
		return err
	}
	return t.dir(ctx, fd, old, ".", visit)
}

// dir compares two directories; old is -1 for none.
func (t *treeChanges) dir(ctx context.Context, fd, old int, path string, visit func(*node) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	names, err := readNames(fd)
	if err != nil {
		return at("readdir", path, err)
	}
	before := map[string]bool{}
	if old >= 0 {
		oldNames, err := readNames(old)
		if err != nil {
			return at("readdir", path, err)
		}
		for _, name := range oldNames {
			before[name] = true
		}
		names = append(names, oldNames...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		n := node{path: join(path, name), dir: fd, name: name}
		if before[name] {
			st, err := statAt(old, name)
			if err != nil {
				return at("stat", n.path, err)
			}
			n.old = &st
		}
		if err := t.file(ctx, &n, old, visit); err != nil {
			return err
		}
	}
	return nil
}

func (t *treeChanges) file(ctx context.Context, n *node, old int, visit func(*node) error) (err error) {
	n.st, err = statAt(n.dir, n.name)
	if errors.Is(err, unix.ENOENT) {
		if n.old == nil {
			return nil // it vanished while it was looked at
		}
		n.deleted, n.changed, n.present = true, true, true
		return visit(n)
	}
	if err != nil {
		return at("stat", n.path, err)
	}
	n.changed = true
	if n.old != nil {
		if n.changed, err = t.differs(n, old, n.name); err != nil {
			return err
		}
	}
	n.present = n.changed || n.old != nil && t.linked(n)
	if !n.st.isDir() {
		if !n.present {
			return nil
		}
		return visit(n)
	}
	return t.subdir(ctx, n, old, visit)
}

func (t *treeChanges) subdir(ctx context.Context, n *node, old int, visit func(*node) error) error {
	fd, err := openDir(n.dir, n.name)
	if errors.Is(err, unix.ENOENT) || isLinkError(err) {
		return nil
	}
	if err != nil {
		return at("open", n.path, err)
	}
	defer unix.Close(fd)
	sub := -1
	if n.old != nil && n.old.isDir() {
		if sub, err = openDir(old, n.name); err != nil {
			return at("open", n.path, err)
		}
		defer unix.Close(sub)
	}
	if err := visit(n); err != nil {
		return err
	}
	return t.dir(ctx, fd, sub, n.path, visit)
}

// differs compares a file with what was before it. Where hints tell that it was touched since, and nothing shows it, its
// content is compared.
func (t *treeChanges) differs(n *node, oldDir int, oldName string) (bool, error) {
	touched, known := t.touched(n)
	if known && !touched {
		if xattrsTouch {
			return false, nil
		}
		return xattrsDiffer(n, oldDir, oldName)
	}
	differ, err := differs(n, oldDir, oldName)
	if differ || err != nil || !known {
		return differ, err
	}
	switch n.st.kind() {
	case unix.S_IFREG:
		return contentDiffers(n.dir, n.name, oldDir, oldName)
	case unix.S_IFLNK:
		a, err := readlinkAt(n.dir, n.name)
		if err != nil {
			return false, at("readlink", n.path, err)
		}
		b, err := readlinkAt(oldDir, oldName)
		return a != b, at("readlink", n.path, err)
	}
	return false, nil
}

// linked reports whether a file may have got a new name: only if it is in the layer itself can that be a link to it.
func (t *treeChanges) linked(n *node) bool {
	if n.st.nlink < 2 || n.st.isDir() {
		return false
	}
	touched, known := t.touched(n)
	return touched || !known
}

func (t *treeChanges) touched(n *node) (touched, known bool) {
	switch {
	case t.hints.Snapshot:
		// Where change times are whole seconds, as through FUSE, an equal one says nothing.
		return n.st.ino != n.old.ino || n.st.ctime != n.old.ctime || n.st.ctime.Nsec == 0, true
	case !t.hints.Since.IsZero():
		return !before(n.st.ctime, t.since), true
	}
	return false, false
}

func before(a, b unix.Timespec) bool {
	return a.Sec < b.Sec || a.Sec == b.Sec && a.Nsec < b.Nsec
}

func contentDiffers(dir int, name string, oldDir int, oldName string) (bool, error) {
	a, err := openAt(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false, at("open", name, err)
	}
	defer unix.Close(a)
	b, err := openAt(oldDir, oldName, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false, at("open", oldName, err)
	}
	defer unix.Close(b)
	bufA, bufB := make([]byte, 128<<10), make([]byte, 128<<10)
	for {
		n, errA := readFull(fdReader(a), bufA)
		m, errB := readFull(fdReader(b), bufB)
		if n != m || !bytes.Equal(bufA[:n], bufB[:m]) {
			return true, nil
		}
		if errA == io.EOF && errB == io.EOF {
			return false, nil
		}
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF {
				return false, at("read", name, err)
			}
		}
	}
}

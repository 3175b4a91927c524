package fstree

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead through, as in the kernels.
const maxLinks = 40

// Mount puts a file or directory over a path of the tree.
type Mount struct {
	// Within is the host path of another tree that Source is a path in. Without it Source is a path of the host and must be
	// trusted: links in it are followed.
	Within   string
	Source   string
	Target   string // absolute inside the tree; may lead through links
	ReadOnly bool
}

// Tree is a directory of the host seen as the root of a file system, with other places mounted over it.
type Tree struct {
	root   *Dir
	mounts map[string]Mount // by target without links
}

// OpenFile opens a regular file at a path of the tree at root, links followed inside of it.
func OpenFile(root, name string) (*os.File, error) {
	t, err := Open(root)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return t.OpenFile(name)
}

// OpenFile opens a regular file at a path of the tree, links followed inside of it.
func (t *Tree) OpenFile(name string) (*os.File, error) {
	p, err := t.Find(name, true)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Dir.Open(p.Name)
}

// Open opens the tree at root. Targets of mounts that are not there are made, as directories or empty files, so that walks
// find them. A mount whose source does not exist is an error only for who gets there.
func Open(root string, mounts ...Mount) (*Tree, error) {
	dir, err := OpenDir(root)
	if err != nil {
		return nil, err
	}
	t := &Tree{root: dir, mounts: map[string]Mount{}}
	sorted := slices.SortedStableFunc(slices.Values(mounts), func(a, b Mount) int { return depth(a.Target) - depth(b.Target) })
	for _, m := range sorted {
		if err := t.mount(m); err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	return t, nil
}

func depth(p string) int { return len(steps(p)) }

// Close closes the tree. Places found in it stay open.
func (t *Tree) Close() error { return t.root.Close() }

func (t *Tree) mount(m Mount) error {
	isDir := true
	if dir, name, err := m.open(); err == nil {
		isDir = name == "."
		if err := dir.Close(); err != nil {
			return err
		}
	}
	p, err := t.need(m.Target, isDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // below a mount whose source is missing
	}
	if err != nil {
		return err
	}
	t.mounts[p.Path] = m
	return p.Close()
}

// open opens what the mount shows: a directory under the name ".", or the directory that holds a file under its name.
func (m Mount) open() (*Dir, string, error) {
	if m.Within == "" {
		source, err := filepath.EvalSymlinks(m.Source)
		if err != nil {
			return nil, "", err
		}
		if dir, err := OpenDir(source); !errors.Is(err, unix.ENOTDIR) {
			return dir, ".", err
		}
		dir, err := OpenDir(filepath.Dir(source))
		return dir, filepath.Base(source), err
	}
	t, err := Open(m.Within)
	if err != nil {
		return nil, "", err
	}
	defer t.Close()
	p, err := t.Find(m.Source, true)
	if err != nil {
		return nil, "", err
	}
	defer p.Close()
	if dir, err := p.OpenDir(); !errors.Is(err, unix.ENOTDIR) {
		return dir, ".", err
	}
	dir, err := p.Dir.OpenDir(".")
	return dir, p.Name, err
}

// MakeAll finds a directory and makes what is missing of it: directories that belong to root and that all may read. Links
// on the way are followed. The caller closes the place.
func (t *Tree) MakeAll(name string) (*Place, error) { return t.need(name, true) }

// MakeFile finds a file and makes what is missing of it: directories as MakeAll makes them, and an empty file. The caller
// closes the place.
func (t *Tree) MakeFile(name string) (*Place, error) { return t.need(name, false) }

// need finds a path and makes what is missing of it. What is made belongs to root and may be read by all.
func (t *Tree) need(name string, isDir bool) (*Place, error) {
	for range maxLinks + depth(name) { // each round makes a name of the path or of where a link leads
		p, err := t.Find(name, true)
		var missing *MissingError
		if !errors.As(err, &missing) {
			return p, err
		}
		if _, ok := t.mounts[missing.at]; ok {
			return nil, err
		}
		last := missing.Path == missing.at
		if err := t.makeAt(missing.at, isDir || !last); err != nil {
			return nil, err
		}
	}
	return nil, fail("mkdir", name, unix.ELOOP)
}

func (t *Tree) makeAt(name string, isDir bool) error {
	p, err := t.Find(path.Dir(name), true)
	if err != nil {
		return err
	}
	defer p.Close()
	dir, err := p.OpenDir()
	if err != nil {
		return err
	}
	defer dir.Close()
	n := Node{Mode: 0o644}
	if isDir {
		n.Mode = fs.ModeDir | 0o755
	}
	if err := dir.Make(path.Base(name), n, nil); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Place is where a path leads.
type Place struct {
	Path  string // in the tree, absolute and without links
	Dir   *Dir   // the directory that holds Name
	Name  string // "." for the root, for what is mounted, and for a path that ends in "/", "." or ".."
	Mount *Mount // what it lies in or is itself; nil for the root

	way []*Dir // directories to close, the root's apart
}

// Close closes the directories on the way to the place.
func (p *Place) Close() error {
	var errs []error
	for _, d := range p.way {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}

// OpenDir opens the directory that the place is.
func (p *Place) OpenDir() (*Dir, error) { return p.Dir.OpenDir(p.Name) }

// MissingError says that a path leads to nothing. It is fs.ErrNotExist.
type MissingError struct {
	Path string // the whole path, links resolved as far as it exists
	at   string // up to the first name that is missing
}

// Error tells the path.
func (e *MissingError) Error() string { return e.Path + ": no such file or directory" }

// Is makes the error fs.ErrNotExist.
func (e *MissingError) Is(target error) bool { return target == fs.ErrNotExist }

// Find resolves a path as a process in the tree would. With follow, a link at its end is resolved too. A path that ends in
// "/" or "/." asks for a directory. The caller closes the place.
func (t *Tree) Find(name string, follow bool) (*Place, error) {
	w := &walk{tree: t, frames: []frame{{dir: t.root, path: "/"}}}
	p, err := w.run(name, follow)
	if err != nil {
		return nil, errors.Join(err, (&Place{way: w.opened}).Close())
	}
	p.way = w.opened
	return p, nil
}

// Evaluate returns a path with all links resolved, as far as it exists.
func (t *Tree) Evaluate(name string) (string, error) {
	p, err := t.Find(name, true)
	var missing *MissingError
	switch {
	case errors.As(err, &missing):
		return missing.Path, nil
	case err != nil:
		return "", err
	}
	return p.Path, p.Close()
}

// MountAt returns what is mounted over a path without links.
func (t *Tree) MountAt(name string) (Mount, bool) {
	m, ok := t.mounts[name]
	return m, ok
}

// MountsBelow reports whether anything is mounted below a path without links.
func (t *Tree) MountsBelow(name string) bool {
	for at := range t.mounts {
		if strings.HasPrefix(at, strings.TrimSuffix(name, "/")+"/") {
			return true
		}
	}
	return false
}

// frame is a directory on the way from the root.
type frame struct {
	dir   *Dir
	path  string
	mount *Mount
}

type walk struct {
	tree   *Tree
	frames []frame
	opened []*Dir
	links  int
}

func (w *walk) top() frame { return w.frames[len(w.frames)-1] }

// run takes the names of a path one by one; a link's own names go before the rest.
func (w *walk) run(name string, follow bool) (*Place, error) {
	rest := steps(name)
	for len(rest) > 0 {
		c := rest[0]
		rest = rest[1:]
		switch c {
		case ".":
			continue
		case "..":
			w.frames = w.frames[:max(1, len(w.frames)-1)]
			continue
		}
		p, link, err := w.step(c, follow, rest)
		if p != nil || err != nil {
			return p, err
		}
		if path.IsAbs(link) {
			w.frames = w.frames[:1]
		}
		rest = slices.Concat(steps(link), rest)
	}
	at := w.top()
	return &Place{Path: at.path, Dir: at.dir, Name: ".", Mount: at.mount}, nil
}

// step takes one name. It ends the walk with a place, returns a link's content, or goes into a directory.
func (w *walk) step(c string, follow bool, rest []string) (*Place, string, error) {
	end := len(rest) == 0
	at := w.top()
	here := path.Join(at.path, c)
	if m, ok := w.tree.mounts[here]; ok {
		p, err := w.cross(here, m, rest)
		return p, "", err
	}
	st, err := at.dir.Lstat(c)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", &MissingError{Path: path.Join(here, path.Join(rest...)), at: here}
	case err != nil:
		return nil, "", err
	case st.Mode.Type() == fs.ModeSymlink && (!end || follow):
		if w.links++; w.links > maxLinks {
			return nil, "", fail("open", here, unix.ELOOP)
		}
		link, err := at.dir.Readlink(c)
		return nil, link, err
	case end:
		return &Place{Path: here, Dir: at.dir, Name: c, Mount: at.mount}, "", nil
	case !st.Mode.IsDir():
		return nil, "", fail("lstat", path.Join(here, path.Join(rest...)), unix.ENOTDIR)
	}
	dir, err := at.dir.OpenDir(c)
	if err != nil {
		return nil, "", err
	}
	w.opened = append(w.opened, dir)
	w.frames = append(w.frames, frame{dir, here, at.mount})
	return nil, "", nil
}

// cross enters what is mounted over a path.
func (w *walk) cross(here string, m Mount, rest []string) (*Place, error) {
	dir, name, err := m.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &MissingError{Path: path.Join(here, path.Join(rest...)), at: here}
	}
	if err != nil {
		return nil, err
	}
	w.opened = append(w.opened, dir)
	switch {
	case name == ".":
		w.frames = append(w.frames, frame{dir, here, &m})
		return nil, nil
	case len(rest) > 0:
		return nil, fail("lstat", path.Join(here, path.Join(rest...)), unix.ENOTDIR)
	}
	return &Place{Path: here, Dir: dir, Name: name, Mount: &m}, nil
}

// steps returns the names of a path, empty ones left out; a slash at its end is a step to ".".
func steps(p string) []string {
	if strings.HasSuffix(p, "/") {
		p += "."
	}
	return slices.DeleteFunc(strings.Split(p, "/"), func(s string) bool { return s == "" })
}

package layer

import (
	"errors"
	"hash/maphash"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/imageformat"
)

// dir is an open directory below the root.
type dir struct {
	fd   int
	path string // canonical: relative to the root, without symbolic links; "." is the root
	// gid is the directory's group, inherit whether a file made in it gets that group.
	gid     uint32
	inherit bool
}

// tree finds directories below the root without ever leaving it: every step opens one name that is not followed, relative
// to an open directory. Symbolic links on the way are read and resolved here, with root as "/", as if by chroot.
type tree struct {
	a    *applier
	root *dir
	// dirs are open directories by the names that led to them, canonical ones included. links are the canonical paths of
	// symbolic links on the way to any of them.
	dirs  map[string]*dir
	links map[string]struct{}
	// open are those in dirs, stale those that were and that somebody may still hold until the next entry.
	open, stale []*dir
}

// maxOpen bounds the open directories. All are closed when there are more: layers are sorted, mostly.
const maxOpen = 256

// maxDepth bounds how deep directories nest, and with it the descriptors that one path needs.
const maxDepth = 512

// maxSymlinks is how many links one path may go through: path_resolution(7).
const maxSymlinks = 40

func (t *tree) start(root string, a *applier) error {
	fd, err := openAt(unix.AT_FDCWD, root, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return at("open", root, err)
	}
	st, err := statFD(fd)
	if err != nil {
		unix.Close(fd)
		return at("stat", root, err)
	}
	t.a, t.root = a, &dir{fd: fd, path: "."}
	t.root.know(st)
	t.dirs, t.links = map[string]*dir{".": t.root}, map[string]struct{}{}
	t.unlock(t.root, st)
	t.remember(t.root, st)
	return nil
}

func (d *dir) know(st info) {
	d.gid = st.gid
	d.inherit = groupFromParent || st.mode&unix.S_ISGID != 0
}

// close closes all directories. No writer may be at work.
func (t *tree) close() {
	t.flush()
	for _, d := range t.stale {
		unix.Close(d.fd)
	}
	unix.Close(t.root.fd)
}

// flush forgets all directories but the root; reap closes them.
func (t *tree) flush() {
	t.stale = append(t.stale, t.open...)
	t.open = nil
	clear(t.dirs)
	clear(t.links)
	t.dirs["."] = t.root
}

// reap closes what flush left, between entries: nobody holds a directory then, once the writers are done.
func (t *tree) reap() error {
	if len(t.stale) == 0 {
		return nil
	}
	if err := t.a.barrier(); err != nil {
		return err
	}
	for _, d := range t.stale {
		unix.Close(d.fd)
	}
	t.stale = nil
	return nil
}

// uses reports whether path is a link that led to an open directory, or such a directory itself.
func (t *tree) uses(path string) (link, open bool) {
	_, link = t.links[path]
	_, open = t.dirs[path]
	return link, open
}

// forget drops all open directories if path is or was on the way to any of them.
func (t *tree) forget(path string) {
	if link, open := t.uses(path); link || open {
		t.flush()
	}
}

// dir returns the directory that name, a clean path, leads to. With create, what is missing is made, and what is no
// directory is replaced by one; else nil is returned.
func (t *tree) dir(name string, create bool) (*dir, error) {
	if d, ok := t.dirs[name]; ok {
		return d, nil
	}
	if len(t.open) >= maxOpen {
		t.flush()
	}
	w := walk{tree: t, at: t.root, todo: strings.Split(name, "/"), create: create}
	// Most often the parent is known already.
	if parent, ok := t.dirs[path.Dir(name)]; ok {
		w.at, w.todo = parent, w.todo[len(w.todo)-1:]
	}
	d, err := w.run()
	if err == nil && d != nil {
		t.dirs[name] = d
	}
	return d, err
}

// existing returns the directory of a canonical path that is known to exist, and its base. The root is "." in itself.
func (t *tree) existing(p string) (*dir, string, error) {
	if p == "." {
		return t.root, ".", nil
	}
	d, err := t.dir(path.Dir(p), false)
	if err == nil && d == nil {
		err = at("open", path.Dir(p), unix.ENOENT)
	}
	return d, path.Base(p), err
}

// walk resolves one path.
type walk struct {
	tree   *tree
	at     *dir
	todo   []string
	create bool
	links  int
}

func (w *walk) run() (*dir, error) {
	for len(w.todo) > 0 {
		name := w.todo[0]
		w.todo = w.todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			// at is canonical, so its parent is its path's.
			up := path.Dir(w.at.path)
			w.at, w.todo = w.tree.root, append(strings.Split(up, "/"), w.todo...)
			continue
		}
		next, err := w.step(name)
		if next == nil || err != nil {
			return nil, err
		}
		w.at = next
	}
	return w.at, nil
}

// step opens one name below w.at, or puts a link's target in its place and returns w.at or the root.
func (w *walk) step(name string) (*dir, error) {
	t, full := w.tree, join(w.at.path, name)
	if strings.Count(full, "/") >= maxDepth {
		return nil, &imageformat.Error{Doc: "layer", Detail: "directories are nested too deeply"}
	}
	if d, ok := t.dirs[full]; ok && d.path == full {
		return d, nil
	}
	if t.a.writers.pending(full) {
		if err := t.a.barrier(); err != nil {
			return nil, err
		}
	}
	fd, err := openDir(w.at.fd, name)
	switch {
	case err == nil:
		return t.add(fd, full)
	case errors.Is(err, unix.ENOENT):
		if !w.create {
			return nil, nil
		}
		return t.a.imply(w.at, name, full)
	case !isLinkError(err):
		return nil, at("open", full, err)
	}
	target, err := readlinkAt(w.at.fd, name)
	if errors.Is(err, unix.EINVAL) { // neither a directory nor a link
		if !w.create {
			return nil, nil
		}
		if err := t.a.removed(w.at, name, full); err != nil {
			return nil, err
		}
		return t.a.imply(w.at, name, full)
	}
	if err != nil {
		return nil, at("readlink", full, err)
	}
	if w.links++; w.links > maxSymlinks {
		return nil, &imageformat.Error{Doc: "layer", Detail: "too many symbolic links", Err: at("open", full, unix.ELOOP)}
	}
	t.links[full] = struct{}{}
	w.todo = append(strings.Split(target, "/"), w.todo...)
	if strings.HasPrefix(target, "/") {
		return t.root, nil
	}
	return w.at, nil
}

// isLinkError: opening a link without following it is ENOTDIR or ELOOP on Linux, EMLINK on FreeBSD.
func isLinkError(err error) bool {
	return errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK)
}

// add keeps an open directory under its canonical path.
func (t *tree) add(fd int, full string) (*dir, error) {
	st, err := statFD(fd)
	if err != nil {
		unix.Close(fd)
		return nil, at("stat", full, err)
	}
	d := &dir{fd: fd, path: full}
	d.know(st)
	t.unlock(d, st)
	t.open = append(t.open, d)
	t.dirs[full] = d
	t.remember(d, st)
	return d, nil
}

// unlock takes flags off a directory that forbid changes in it; it gets them back at the end.
func (t *tree) unlock(d *dir, st info) {
	if st.flags&forbidding != 0 && clearDirFlags(d.fd, st.flags) == nil {
		t.a.flags[d.path] = st.flags
	}
}

// remember notes the times that a directory has before anything is made in it, to set them back at the end unless the
// layer says others.
func (t *tree) remember(d *dir, st info) {
	if _, ok := t.a.dirTimes[d.path]; !ok {
		t.a.dirTimes[d.path] = fileTimes{st.atime, st.mtime}
	}
}

var seed = maphash.MakeSeed()

func hashPath(path string) uint64 { return maphash.String(seed, path) }

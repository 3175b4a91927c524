package layer

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/imageformat"
)

// The names that say in a layer what is not there: OCI image-spec layer.md, "Representing Changes".
const (
	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// isWhiteout reports whether a file is overlayfs' mark for a deleted one.
func isWhiteout(st *info) bool { return st.kind() == unix.S_IFCHR && st.rdev == 0 }

// note remembers that the layer made a name, so that its own whiteouts spare it: they are about lower layers.
func (a *applier) note(full string) {
	if !a.opts.Overlay {
		a.made[hashPath(full)] = struct{}{}
	}
}

// noteParents does the same for the directories around a name, until one that is noted already.
func (a *applier) noteParents(dir string) {
	if a.opts.Overlay {
		return
	}
	for dir != "." && !a.wasMade(dir) {
		a.note(dir)
		dir = path.Dir(dir)
	}
}

func (a *applier) wasMade(full string) bool {
	_, ok := a.made[hashPath(full)]
	return ok
}

// whiteout applies an entry whose base name has the prefix.
func (a *applier) whiteout(parent, base string) error {
	if strings.HasPrefix(base, whiteoutMeta) && base != whiteoutOpaque {
		return nil // notes of AUFS to itself, which old Docker put into layers
	}
	name := strings.TrimPrefix(base, whiteoutPrefix)
	if name == "" || name == "." || name == ".." {
		return &imageformat.Error{Doc: "layer", Detail: fmt.Sprintf("whiteout %q", base)}
	}
	if err := a.barrier(); err != nil {
		return err
	}
	d, err := a.tree.dir(parent, a.opts.Overlay)
	if err != nil || d == nil {
		return err
	}
	switch {
	case base == whiteoutOpaque && a.opts.Overlay:
		return at("set opaque", d.path, setOpaque(d.fd))
	case base == whiteoutOpaque:
		return a.empty(d)
	case a.opts.Overlay:
		return a.markDeleted(d, name)
	}
	full := join(d.path, name)
	if a.wasMade(full) {
		// The layer itself has put something here: only what a lower directory had in it goes.
		sub, err := a.tree.dir(full, false)
		if err != nil || sub == nil || sub.path != full {
			return err
		}
		return a.empty(sub)
	}
	return a.removed(d, name, full)
}

// empty removes what a directory had before this layer.
func (a *applier) empty(d *dir) error {
	names, err := readNames(d.fd)
	if err != nil {
		return at("readdir", d.path, err)
	}
	for _, name := range names {
		full := join(d.path, name)
		if !a.wasMade(full) {
			if err := a.removed(d, name, full); err != nil {
				return err
			}
			continue
		}
		sub, err := a.subdir(d, name, full)
		if err != nil {
			return err
		}
		if sub == nil {
			continue
		}
		if err := a.empty(sub); err != nil {
			return err
		}
	}
	return nil
}

// subdir opens a directory in d; nil when it is something else.
func (a *applier) subdir(d *dir, name, full string) (*dir, error) {
	if known, ok := a.tree.dirs[full]; ok && known.path == full {
		return known, nil
	}
	fd, err := openDir(d.fd, name)
	if err != nil {
		if isLinkError(err) {
			return nil, nil
		}
		return nil, at("open", full, err)
	}
	return a.tree.add(fd, full)
}

// markDeleted leaves overlayfs' mark for a deleted file. What the layer itself put there stays; a directory of its own then
// hides the lower one.
func (a *applier) markDeleted(d *dir, name string) error {
	full := join(d.path, name)
	err := mknod(d.fd, name, unix.S_IFCHR, 0, 0)
	if !errors.Is(err, unix.EEXIST) {
		return at("mknod", full, err)
	}
	sub, err := a.subdir(d, name, full)
	if err != nil || sub == nil {
		return err
	}
	return at("set opaque", full, setOpaque(sub.fd))
}

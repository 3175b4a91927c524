package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/imageformat"
)

// meta is what an entry says of a file apart from its content.
type meta struct {
	uid, gid, mode uint32
	times          fileTimes
	xattrs         map[string]string
	flags          uint32
}

func metaOf(hdr *tar.Header) (meta, error) {
	if hdr.Uid < 0 || hdr.Gid < 0 || int64(hdr.Uid) >= math.MaxUint32 || int64(hdr.Gid) >= math.MaxUint32 {
		return meta{}, &imageformat.Error{Doc: "layer", Detail: fmt.Sprintf("owner %d:%d", hdr.Uid, hdr.Gid)}
	}
	m := meta{
		uid: uint32(hdr.Uid), gid: uint32(hdr.Gid), mode: uint32(hdr.Mode) & 0o7777, xattrs: headerXattrs(hdr),
		flags: parseFlags(hdr.PAXRecords[paxFlags]),
	}
	m.times.mtime = timespec(hdr.ModTime)
	m.times.atime = m.times.mtime
	if !hdr.AccessTime.IsZero() {
		m.times.atime = timespec(hdr.AccessTime)
	}
	return m, nil
}

// create makes what one entry describes, in the place of whatever is there.
func (a *applier) create(dir *dir, base, full string, hdr *tar.Header, content io.Reader) error {
	if hdr.Typeflag == tar.TypeLink {
		return a.link(dir, base, full, hdr.Linkname)
	}
	m, err := metaOf(hdr)
	if err != nil {
		return err
	}
	if err := a.createAs(dir, base, full, m, hdr, content); err != nil {
		return err
	}
	a.setFlagsLate(full, m.flags)
	return nil
}

func (a *applier) createAs(dir *dir, base, full string, m meta, hdr *tar.Header, content io.Reader) error {
	switch hdr.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		return a.regular(file{dir: dir, name: base, path: full, meta: m, size: hdr.Size, sparse: isSparse(hdr)}, content)
	case tar.TypeDir:
		return a.makeDir(dir, base, full, m)
	case tar.TypeSymlink:
		return a.special(dir, base, full, m, func() error {
			return retry(func() error { return unix.Symlinkat(hdr.Linkname, dir.fd, base) })
		}, false)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		kind := map[byte]uint32{tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO}[hdr.Typeflag]
		return a.special(dir, base, full, m, func() error {
			return mknod(dir.fd, base, kind|m.mode&0o777, hdr.Devmajor, hdr.Devminor)
		}, true)
	}
	return &imageformat.Error{Doc: "layer", Detail: fmt.Sprintf("entry type %q", hdr.Typeflag)}
}

// isSparse: the tar package expands holes to zeros and says only in these two places that there were any.
func isSparse(hdr *tar.Header) bool {
	if hdr.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range hdr.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// special makes what has no content, by mk.
func (a *applier) special(dir *dir, base, full string, m meta, mk func() error, chmod bool) error {
	err := mk()
	if errors.Is(err, unix.EEXIST) {
		if err := a.removed(dir, base, full); err != nil {
			return err
		}
		err = mk()
	}
	if err != nil {
		return at("create", full, err)
	}
	if err := a.own(dir, base, m); err != nil {
		return at("chown", full, err)
	}
	for key, value := range m.xattrs {
		kept, err := setXattrAt(dir.fd, base, key, value)
		if err != nil {
			return at("setxattr "+key, full, err)
		}
		a.lost(kept)
	}
	if chmod {
		// The name is not a link: it was made just now, and nobody else is here.
		if err := retry(func() error { return unix.Fchmodat(dir.fd, base, m.mode, 0) }); err != nil {
			return at("chmod", full, err)
		}
	}
	return at("utimensat", full, setTimes(dir.fd, base, m.times))
}

// own sets the owner of what was just made, unless it has it from the start.
func (a *applier) own(dir *dir, base string, m meta) error {
	if a.owned(dir, m) {
		return nil
	}
	return retry(func() error {
		return unix.Fchownat(dir.fd, base, int(m.uid), int(m.gid), unix.AT_SYMLINK_NOFOLLOW)
	})
}

func (a *applier) owned(dir *dir, m meta) bool {
	gid := a.egid
	if dir.inherit {
		gid = dir.gid
	}
	return m.uid == a.euid && m.gid == gid
}

func (a *applier) lost(kept bool) {
	if !kept {
		a.writers.lostXattrs.Add(1)
	}
}

// makeDir makes a directory, or gives an existing one the entry's attributes.
func (a *applier) makeDir(parent *dir, base, full string, m meta) error {
	opaque := false
	err := mkdirAt(parent.fd, base, 0o700)
	if errors.Is(err, unix.EEXIST) {
		st, statErr := statAt(parent.fd, base)
		if statErr != nil {
			return at("stat", full, statErr)
		}
		err = nil
		if !st.isDir() {
			// A whiteout of the same layer: the directory below it stays hidden.
			opaque = a.opts.Overlay && isWhiteout(&st)
			if err := a.removed(parent, base, full); err != nil {
				return err
			}
			err = mkdirAt(parent.fd, base, 0o700)
		}
	}
	if err != nil {
		return at("mkdir", full, err)
	}
	d, known := a.tree.dirs[full]
	if !known || d.path != full {
		fd, err := openDir(parent.fd, base)
		if err != nil {
			return at("open", full, err)
		}
		a.dirTimes[full] = m.times
		// It is kept open: most directories are followed by their content.
		if d, err = a.tree.add(fd, full); err != nil {
			return err
		}
	}
	if opaque {
		if err := setOpaque(d.fd); err != nil {
			return at("set opaque", full, err)
		}
	}
	return a.describe(d, m)
}

// rootEntry applies "./".
func (a *applier) rootEntry(hdr *tar.Header) error {
	m, err := metaOf(hdr)
	if err != nil {
		return err
	}
	a.setFlagsLate(".", m.flags)
	return a.describe(a.tree.root, m)
}

// describe gives a directory the attributes that an entry states.
func (a *applier) describe(d *dir, m meta) error {
	if err := retry(func() error { return unix.Fchown(d.fd, int(m.uid), int(m.gid)) }); err != nil {
		return at("chown", d.path, err)
	}
	if err := a.setXattrs(d.fd, d.path, m.xattrs); err != nil {
		return err
	}
	if err := retry(func() error { return unix.Fchmod(d.fd, m.mode) }); err != nil {
		return at("chmod", d.path, err)
	}
	d.gid, d.inherit = m.gid, groupFromParent || m.mode&unix.S_ISGID != 0
	a.dirTimes[d.path] = m.times
	delete(a.implied, d.path)
	return nil
}

func (a *applier) setXattrs(fd int, full string, xattrs map[string]string) error {
	for key, value := range xattrs {
		kept, err := setXattr(fd, key, value)
		if err != nil {
			return at("setxattr "+key, full, err)
		}
		a.lost(kept)
	}
	return nil
}

// imply makes a directory that the layer has something in without describing it.
func (a *applier) imply(parent *dir, base, full string) (*dir, error) {
	if err := mkdirAt(parent.fd, base, 0o755); err != nil {
		return nil, at("mkdir", full, err)
	}
	fd, err := openDir(parent.fd, base)
	if err != nil {
		return nil, at("open", full, err)
	}
	d, err := a.tree.add(fd, full)
	if err != nil {
		return nil, err
	}
	if err := retry(func() error { return unix.Fchmod(fd, 0o755) }); err != nil {
		return nil, at("chmod", full, err)
	}
	if a.opts.Overlay {
		a.implied[full] = struct{}{}
	}
	a.note(full)
	return d, nil
}

func mkdirAt(dir int, name string, mode uint32) error {
	return retry(func() error { return unix.Mkdirat(dir, name, mode) })
}

// link makes a hard link. The target is found as any other name is, and is linked itself if it is a symbolic link.
func (a *applier) link(to *dir, base, full, target string) error {
	target = cleanName(target)
	if target == "." {
		return &imageformat.Error{Doc: "layer", Detail: "hard link to the root"}
	}
	parent, err := a.tree.dir(path.Dir(target), false)
	if err != nil {
		return err
	}
	if parent == nil {
		return a.unlinked(full, target, unix.ENOENT)
	}
	name := path.Base(target)
	from := join(parent.path, name)
	if from == full {
		return nil
	}
	if a.writers.pending(from) {
		if err := a.barrier(); err != nil {
			return err
		}
	}
	call := func() error { return retry(func() error { return unix.Linkat(parent.fd, name, to.fd, base, 0) }) }
	err = call()
	if errors.Is(err, unix.EPERM) {
		// A flag of the target may forbid it; it gets the flag back at the end.
		if st, statErr := statAt(parent.fd, name); statErr == nil && clearFlags(parent.fd, name) {
			a.setFlagsLate(from, st.flags)
			err = call()
		}
	}
	if errors.Is(err, unix.EEXIST) {
		if strings.HasPrefix(from, full+"/") {
			return &imageformat.Error{Doc: "layer", Detail: "hard link in the place of a directory to a file in it"}
		}
		if err := a.removed(to, base, full); err != nil {
			return err
		}
		err = call()
	}
	if errors.Is(err, unix.ENOENT) {
		return a.unlinked(full, target, err)
	}
	return at("link", full, err)
}

// unlinked notes a link whose target must be in a lower layer.
func (a *applier) unlinked(full, target string, err error) error {
	if !a.opts.Overlay {
		return at("link", target, err)
	}
	a.applied.Unlinked = append(a.applied.Unlinked, Link{Name: full, Target: target})
	return nil
}

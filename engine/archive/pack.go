package archive

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine/internal/fstree"
)

// xattrRecord is the prefix of a PAX record that holds an extended attribute.
const xattrRecord = "SCHILY.xattr."

type inode struct{ dev, ino uint64 }

// packer writes files into a tar.
type packer struct {
	tree  *fstree.Tree // nil: nothing is mounted
	tar   *tar.Writer
	first map[inode]string // member of the first name of a file with several
}

// pack writes what stands at a place and all below it, under the given name.
func pack(ctx context.Context, w io.Writer, tree *fstree.Tree, p *fstree.Place, as string) error {
	k := &packer{tree: tree, tar: tar.NewWriter(w), first: map[inode]string{}}
	st, err := p.Dir.Lstat(p.Name)
	if err != nil {
		return err
	}
	if err := k.add(ctx, p.Dir, p.Name, p.Path, as, st.Dev); err != nil {
		return err
	}
	return k.tar.Close()
}

// packRoot writes what a directory holds, itself apart.
func packRoot(ctx context.Context, w io.Writer, dir *fstree.Dir) error {
	k := &packer{tar: tar.NewWriter(w), first: map[inode]string{}}
	st, err := dir.Lstat(".")
	if err != nil {
		return err
	}
	if err := k.children(ctx, dir, "/", "", st.Dev); err != nil {
		return err
	}
	return k.tar.Close()
}

// add writes one file, and what it holds if it is a directory of the file system dev. What vanished is left out.
func (k *packer) add(ctx context.Context, dir *fstree.Dir, name, here, as string, dev uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st, err := dir.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode.IsDir():
		return k.addDir(ctx, dir, name, here, as, st, dev)
	case st.Mode.IsRegular():
		return k.addFile(ctx, dir, name, as, st)
	case st.Mode.Type() == fs.ModeSocket:
		return nil // a tar cannot hold one
	}
	h := header(as, st)
	if st.Mode.Type() == fs.ModeSymlink {
		h.Linkname, err = dir.Readlink(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EINVAL) {
			return nil // no longer a link
		}
		if err != nil {
			return err
		}
	}
	k.linked(h, st)
	return k.tar.WriteHeader(h)
}

func (k *packer) addDir(ctx context.Context, dir *fstree.Dir, name, here, as string, st fstree.Stat, dev uint64) error {
	sub, err := dir.OpenDir(name)
	if err != nil {
		return vanished(err)
	}
	defer sub.Close()
	h := header(as, st)
	h.Name += "/"
	if err := k.tar.WriteHeader(h); err != nil {
		return err
	}
	if st.Dev != dev {
		return nil
	}
	return k.children(ctx, sub, here, h.Name, dev)
}

// children writes what a directory holds, prefix before each name.
func (k *packer) children(ctx context.Context, dir *fstree.Dir, here, prefix string, dev uint64) error {
	names, err := dir.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		at := path.Join(here, name)
		if k.tree != nil {
			if _, ok := k.tree.MountAt(at); ok {
				if err := k.addMount(ctx, at, prefix+name); err != nil {
					return err
				}
				continue
			}
		}
		if err := k.add(ctx, dir, name, at, prefix+name, dev); err != nil {
			return err
		}
	}
	return nil
}

func (k *packer) addMount(ctx context.Context, at, as string) error {
	p, err := k.tree.Find(at, true)
	if err != nil {
		return vanished(err)
	}
	defer p.Close()
	st, err := p.Dir.Lstat(p.Name)
	if err != nil {
		return vanished(err)
	}
	return k.add(ctx, p.Dir, p.Name, at, as, st.Dev)
}

// addFile writes a regular file. One that shrinks meanwhile is filled up with zeros, as tar(1) does; one that grows is cut.
func (k *packer) addFile(ctx context.Context, dir *fstree.Dir, name, as string, st fstree.Stat) error {
	h := header(as, st)
	if k.linked(h, st) {
		return k.tar.WriteHeader(h)
	}
	f, err := dir.Open(name)
	if err != nil {
		return vanished(err)
	}
	defer f.Close()
	capability, err := fstree.Xattr(f, "security.capability")
	if err != nil {
		return err
	}
	if capability = rootless(capability); capability != nil {
		h.PAXRecords = map[string]string{xattrRecord + "security.capability": string(capability)}
	}
	if err := k.tar.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.Copy(k.tar, io.LimitReader(reader(ctx, f), h.Size))
	if err != nil {
		return err
	}
	_, err = io.CopyN(k.tar, zeros{}, h.Size-n)
	return err
}

// linked makes the header that of a further name when a name of the same file was written before.
func (k *packer) linked(h *tar.Header, st fstree.Stat) bool {
	if st.Links < 2 {
		return false
	}
	id := inode{st.Dev, st.Ino}
	if first, ok := k.first[id]; ok {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		return true
	}
	k.first[id] = h.Name
	return false
}

// vanished drops the error of a file that was removed or replaced after it was listed.
func vanished(err error) error {
	for _, gone := range []error{fs.ErrNotExist, unix.ENOTDIR, unix.ELOOP, unix.EMLINK} {
		if errors.Is(err, gone) {
			return nil
		}
	}
	return err
}

// header describes a file as dockerd does: PAX, whole seconds, no names of users.
func header(as string, st fstree.Stat) *tar.Header {
	h := &tar.Header{
		Format: tar.FormatPAX, Name: as, Mode: int64(fstree.Permissions(st.Mode)), Uid: st.UID, Gid: st.GID,
		ModTime: st.ModTime.Truncate(time.Second),
	}
	switch st.Mode.Type() {
	case 0:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
	case fs.ModeDir:
		h.Typeflag = tar.TypeDir
	case fs.ModeSymlink:
		h.Typeflag = tar.TypeSymlink
	case fs.ModeNamedPipe:
		h.Typeflag = tar.TypeFifo
	case fs.ModeDevice:
		h.Typeflag = tar.TypeBlock
	default:
		h.Typeflag = tar.TypeChar
	}
	if st.Mode&fs.ModeDevice != 0 {
		h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	}
	return h
}

// rootless takes the user namespace's root out of a file capability, as it means nothing elsewhere: revision 3 of
// linux/capability.h becomes revision 2.
func rootless(capability []byte) []byte {
	const size2, revision, revision2, revision3 = 20, 3, 2, 3
	if len(capability) > size2 && capability[revision] == revision3 {
		capability[revision] = revision2
		return capability[:size2]
	}
	return capability
}

// zeros reads as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

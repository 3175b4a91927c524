package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/internal/fstree"
	"github.com/xcengine/xc/imageformat/layer"
)

// Write extracts a tar, which may be compressed, at an existing directory. What stood in the way is replaced, a directory
// by a directory apart. After an error, what was extracted so far stays. A tar that asks for places outside the directory
// is refused.
func (Files) Write(ctx context.Context, root engine.MountedRoot, name string, r io.Reader, o engine.ExtractOptions) error {
	tree, err := open(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	at, err := extractionPoint(tree, root, name)
	if err != nil {
		return err
	}
	x := &extractor{tree: tree, root: root, at: at, options: o}
	defer x.leave()
	if o.KeepOwner && root.User != "" {
		known, err := accounts.Read(tree.OpenFile)
		if err == nil {
			x.owner, err = known.Owner(root.User)
		}
		if err != nil {
			return &engine.Error{Kind: engine.Invalid, Resource: engine.ResourcePath, ID: name, Err: err}
		}
	}
	plain, _, err := layer.Decompress(reader(ctx, r))
	if err != nil {
		return err
	}
	defer plain.Close()
	return x.run(tar.NewReader(plain))
}

// extractionPoint resolves the path that a tar is extracted at.
func extractionPoint(tree *fstree.Tree, root engine.MountedRoot, name string) (string, error) {
	p, err := tree.Find(name, true)
	if err != nil {
		return "", lookupError(err, root, name)
	}
	defer p.Close()
	st, err := p.Dir.Lstat(p.Name)
	if err != nil {
		return "", lookupError(err, root, name)
	}
	if !st.Mode.IsDir() {
		return "", invalid(name, "extraction point is not a directory")
	}
	return p.Path, writable(root, p.Mount)
}

// writable refuses what is mounted read-only, or a root that is.
func writable(root engine.MountedRoot, m *fstree.Mount) error {
	switch {
	case m != nil && m.ReadOnly:
		return invalid(m.Target, "mounted volume is marked read-only")
	case m == nil && root.ReadOnly:
		return invalid("/", "container rootfs is marked read-only")
	}
	return nil
}

func invalid(name, text string) error {
	return &engine.Error{Kind: engine.Invalid, Resource: engine.ResourcePath, ID: name, Err: errors.New(text)}
}

type extractor struct {
	tree    *fstree.Tree
	root    engine.MountedRoot
	at      string
	options engine.ExtractOptions
	owner   *accounts.Owner // nil: as the tar says
	dirs    []directory

	// The directory of the last member stays open, for the next is most often its neighbour.
	place *fstree.Place
	dir   *fstree.Dir
	path  string
}

// directory is one whose time is set when nothing is written into it any more.
type directory struct {
	path string
	node fstree.Node
}

func (x *extractor) run(r *tar.Reader) error {
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return x.finish()
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := x.member(h, r); err != nil {
			return err
		}
	}
}

// finish gives the directories their times.
func (x *extractor) finish() error {
	for _, d := range x.dirs {
		p, err := x.tree.Find(d.path, false)
		if err == nil {
			err = errors.Join(p.Dir.Touch(p.Name, d.node.ModTime), p.Close())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// target is where a member goes, lexically; it must be below the extraction point or be that itself. Nothing is above the
// root, so all names are below it.
func (x *extractor) target(name string) (string, error) {
	to := path.Join(x.at, name)
	if to != x.at && !strings.HasPrefix(to, strings.TrimSuffix(x.at, "/")+"/") {
		return "", fmt.Errorf("%q is outside of %q", path.Clean(name), x.at)
	}
	return to, nil
}

func (x *extractor) member(h *tar.Header, content io.Reader) error {
	to, err := x.target(h.Name)
	if err != nil {
		return err
	}
	n, err := x.node(h)
	if err != nil {
		return err
	}
	if to == x.at {
		return x.self(path.Clean(h.Name), n)
	}
	if err := x.enter(path.Dir(to)); err != nil {
		return err
	}
	name, isDir := path.Base(to), n.Mode.IsDir()
	if _, mounted := x.tree.MountAt(path.Join(x.place.Path, name)); mounted {
		return x.onMount(to, n)
	}
	if err := x.clear(name, to, isDir); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeLink {
		return x.link(h, name)
	}
	if err := x.dir.Make(name, n, content); err != nil {
		return err
	}
	if isDir {
		x.dirs = append(x.dirs, directory{to, n})
	}
	return nil
}

// self is a member that stands for the extraction point. "." leaves it as it is, as dockerd does.
func (x *extractor) self(clean string, n fstree.Node) error {
	if clean == "." {
		return nil
	}
	if !n.Mode.IsDir() {
		return fmt.Errorf("cannot overwrite directory %q with non-directory %q", x.at, x.at)
	}
	return x.dress(x.at, n)
}

// onMount is a member in whose place something is mounted: a directory gets owner and mode, all else is in the way.
func (x *extractor) onMount(to string, n fstree.Node) error {
	p, err := x.tree.Find(to, false)
	if err != nil {
		return err
	}
	defer p.Close()
	st, err := p.Dir.Lstat(p.Name)
	if err != nil {
		return err
	}
	if !st.Mode.IsDir() || !n.Mode.IsDir() {
		return &fs.PathError{Op: "unlinkat", Path: to, Err: unix.EBUSY}
	}
	if err := writable(x.root, p.Mount); err != nil {
		return err
	}
	return x.dress(to, n)
}

// dress gives an existing directory the owner, mode and time of a member.
func (x *extractor) dress(name string, n fstree.Node) error {
	p, err := x.tree.Find(name, true)
	if err != nil {
		return err
	}
	defer p.Close()
	dir, err := p.OpenDir()
	if err != nil {
		return err
	}
	x.dirs = append(x.dirs, directory{name, n})
	return errors.Join(dir.Dress(n), dir.Close())
}

// enter opens the directory that the next member goes into and makes what is missing of it.
func (x *extractor) enter(name string) error {
	if x.dir != nil && x.path == name {
		return nil
	}
	x.leave()
	p, err := x.tree.MakeAll(name)
	if err != nil {
		return err
	}
	if err := writable(x.root, p.Mount); err != nil {
		return errors.Join(err, p.Close())
	}
	dir, err := p.OpenDir()
	if err != nil {
		return errors.Join(err, p.Close())
	}
	x.place, x.dir, x.path = p, dir, name
	return nil
}

func (x *extractor) leave() {
	if x.dir == nil {
		return
	}
	// Closing directories that were read cannot lose anything.
	_ = x.dir.Close()
	_ = x.place.Close()
	x.place, x.dir, x.path = nil, nil, ""
}

// clear makes room for a member; a directory makes room for none but leaves a directory's place as it is.
func (x *extractor) clear(name, to string, isDir bool) error {
	st, err := x.dir.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode.IsDir() && isDir:
		return nil
	case x.options.NoOverwriteDirNonDir && st.Mode.IsDir():
		return fmt.Errorf("cannot overwrite directory %q with non-directory %q", to, x.at)
	case x.options.NoOverwriteDirNonDir && isDir:
		return fmt.Errorf("cannot overwrite non-directory %q with directory %q", to, x.at)
	}
	if x.tree.MountsBelow(path.Join(x.place.Path, name)) {
		return &fs.PathError{Op: "unlinkat", Path: to, Err: unix.EBUSY}
	}
	return x.dir.RemoveAll(name)
}

// link makes a hard link; what it names stands below the extraction point as well.
func (x *extractor) link(h *tar.Header, name string) error {
	from, err := x.target(h.Linkname)
	if err != nil {
		return fmt.Errorf("invalid hardlink %q -> %q", h.Name, h.Linkname)
	}
	p, err := x.tree.Find(path.Dir(from), true)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := writable(x.root, p.Mount); err != nil {
		return err
	}
	dir, err := p.OpenDir()
	if err != nil {
		return err
	}
	return errors.Join(x.dir.Link(dir, path.Base(from), name), dir.Close())
}

// types are the kinds of member that can be made.
var types = map[byte]fs.FileMode{
	tar.TypeReg: 0, tar.TypeCont: 0, tar.TypeGNUSparse: 0, tar.TypeLink: 0, tar.TypeDir: fs.ModeDir, tar.TypeSymlink: fs.ModeSymlink,
	tar.TypeFifo: fs.ModeNamedPipe, tar.TypeBlock: fs.ModeDevice, tar.TypeChar: fs.ModeDevice | fs.ModeCharDevice,
}

// node turns a member's header into what is to be made.
func (x *extractor) node(h *tar.Header) (fstree.Node, error) {
	kind, ok := types[h.Typeflag]
	if !ok {
		return fstree.Node{}, fmt.Errorf("unhandled tar header type %d", h.Typeflag)
	}
	n := fstree.Node{
		Mode: kind | h.FileInfo().Mode()&^fs.ModeType, UID: h.Uid, GID: h.Gid, ModTime: h.ModTime, Target: h.Linkname,
		Rdev: unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)),
	}
	if x.owner != nil {
		n.UID, n.GID = x.owner.UID, x.owner.GID
	}
	for key, value := range h.PAXRecords {
		if attr, ok := strings.CutPrefix(key, xattrRecord); ok {
			if n.Xattrs == nil {
				n.Xattrs = map[string]string{}
			}
			n.Xattrs[attr] = value
		}
	}
	return n, nil
}

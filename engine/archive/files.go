package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fstree"
)

// Files reads and writes paths of containers' roots. The zero Files is ready.
type Files struct{}

// Stat describes what stands at a path. A link is described itself, unless the path asks for a directory by ending in "/"
// or "/."; where it leads to is told in full, as far as that exists.
func (Files) Stat(_ context.Context, root engine.MountedRoot, name string) (engine.PathStat, error) {
	tree, err := open(root)
	if err != nil {
		return engine.PathStat{}, err
	}
	defer tree.Close()
	p, stat, err := find(tree, root, name)
	if err != nil {
		return stat, err
	}
	return stat, p.Close()
}

// Read gives a tar stream of what stands at a path, under the last name of the path. The stream is made while it is read;
// it fails when ctx ends. Closing it waits until the root is no longer touched.
func (Files) Read(ctx context.Context, root engine.MountedRoot, name string) (engine.Archive, error) {
	tree, err := open(root)
	if err != nil {
		return engine.Archive{}, err
	}
	p, stat, err := find(tree, root, name)
	if err != nil {
		return engine.Archive{}, errors.Join(err, tree.Close())
	}
	r := stream(ctx, func(ctx context.Context, w io.Writer) error {
		defer tree.Close()
		defer p.Close()
		return pack(ctx, w, tree, p, member(stat.Name))
	})
	return engine.Archive{ReadCloser: r, Stat: stat}, nil
}

// member is the name in the tar of a path's last name; what stands below "/" has none before it.
func member(base string) string {
	if base == "/" {
		return ""
	}
	return base
}

// Export gives a tar stream of the whole root, without what is mounted in it.
func (Files) Export(ctx context.Context, root engine.MountedRoot) (io.ReadCloser, error) {
	dir, err := fstree.OpenDir(root.Path)
	if err != nil {
		return nil, err
	}
	return stream(ctx, func(ctx context.Context, w io.Writer) error {
		defer dir.Close()
		return packRoot(ctx, w, dir)
	}), nil
}

// MakeDir makes what is missing of a directory; what is made belongs to root and may be read by all. Links on the way are followed.
func (Files) MakeDir(_ context.Context, root engine.MountedRoot, name string) error {
	tree, err := open(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	p, err := tree.MakeAll(path.Clean(name))
	if err != nil {
		return err
	}
	defer p.Close()
	st, err := p.Dir.Lstat(p.Name)
	if err == nil && !st.Mode.IsDir() {
		err = fmt.Errorf("Cannot mkdir: %s is not a directory", name) //nolint:staticcheck // Docker's words
	}
	return err
}

// open sees a root with all its mounts.
func open(root engine.MountedRoot) (*fstree.Tree, error) {
	var mounts []fstree.Mount
	for _, m := range root.Mounts {
		switch {
		case m.Subpath != "":
			mounts = append(mounts, fstree.Mount{Within: m.Source, Source: m.Subpath, Target: m.Target, ReadOnly: m.ReadOnly})
		case m.Kind != engine.MountTmpfs:
			mounts = append(mounts, fstree.Mount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
		case root.Live != "":
			mounts = append(mounts, fstree.Mount{Within: root.Live, Source: m.Target, Target: m.Target, ReadOnly: m.ReadOnly})
		}
	}
	return fstree.Open(root.Path, mounts...)
}

// find finds a path that must exist. The caller closes the place.
func find(tree *fstree.Tree, root engine.MountedRoot, name string) (*fstree.Place, engine.PathStat, error) {
	p, err := tree.Find(name, false)
	if err != nil {
		return nil, engine.PathStat{}, lookupError(err, root, name)
	}
	st, err := p.Dir.Lstat(p.Name)
	stat := engine.PathStat{Name: base(name), Size: st.Size, Mode: uint32(st.Mode), ModTime: st.ModTime}
	if err == nil && st.Mode.Type() == fs.ModeSymlink {
		stat.LinkTarget, err = tree.Evaluate(name)
	}
	if err != nil {
		return nil, stat, errors.Join(lookupError(err, root, name), p.Close())
	}
	return p, stat, nil
}

// base is the last name of a path as docker cp counts it: "/dir/." and "/dir/./" are of the name ".".
func base(name string) string {
	if strings.HasSuffix("/"+strings.TrimRight(name, "/"), "/.") {
		return "."
	}
	return path.Base(path.Join("/", name))
}

// lookupError puts the failure to find a path into Docker's terms.
func lookupError(err error, root engine.MountedRoot, name string) error {
	var at *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &engine.Error{Kind: engine.NotFound, Resource: engine.ResourcePath, ID: name, Args: []string{root.Container}}
	case errors.As(err, &at):
		return fmt.Errorf("%s %s: %w", at.Op, name, at.Err)
	}
	return err
}

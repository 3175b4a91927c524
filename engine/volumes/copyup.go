package volumes

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fstree"
)

// copyUser is the user of a volume that is mounted only to be filled.
const copyUser engine.ContainerID = "copy-up"

// CopyUp fills a volume with what stands at path in a mounted root, and gives its top the owner and mode of the directory
// there. It does so once in a volume's life, and only while the volume is empty. Where the root has no directory, or an
// empty one, nothing is copied and a later call may. With a subpath it is the directory there that is filled, whenever it is empty.
func (s *Service) CopyUp(ctx context.Context, name, subpath, root, path string) (err error) {
	release, err := s.locks.take(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	rec, ok := s.lookup(name)
	if !ok {
		return notFound("copy", name)
	}
	if filled(rec, subpath) {
		return nil
	}
	if needsMount(rec.Volume) {
		if err := s.mount(ctx, rec, copyUser); err != nil {
			return err
		}
		defer func() {
			if rec, ok := s.lookup(name); ok {
				err = errors.Join(err, s.unmount(context.WithoutCancel(ctx), rec, copyUser))
			}
		}()
	}
	return fault("copy", name, s.fill(ctx, name, subpath, root, path))
}

// filled reports whether there is nothing to copy and nothing to end.
func filled(rec engine.VolumeRecord, subpath string) bool {
	return subpath == "" && rec.CopyUp == engine.CopyUpDone && rec.CopyPart == ""
}

// fill copies into a volume that is in its place, or into a directory in it. The name is locked.
func (s *Service) fill(ctx context.Context, name, subpath, root, path string) error {
	rec, _ := s.lookup(name)
	if err := s.settleCopy(ctx, rec); err != nil {
		return err
	}
	if rec, _ = s.lookup(name); filled(rec, subpath) {
		return nil
	}
	source, node, err := sourceDir(root, path)
	if err != nil || source == nil {
		return err
	}
	defer source.Close()
	to, _, err := sourceDir(s.data(name), subpath)
	if err != nil || to == nil {
		return err
	}
	defer to.Close()
	names, err := to.Names()
	if err != nil || len(names) > 0 {
		return err
	}
	if names, err = source.Names(); err != nil {
		return err
	}
	if len(names) == 0 {
		return dress(to, node)
	}
	if err := s.stage(ctx, rec, source, node); err != nil {
		return err
	}
	if subpath == "" {
		rec.CopyUp = engine.CopyUpStaged
	} else {
		rec.CopyPart = subpath
	}
	if err := s.put(ctx, rec); err != nil {
		return err
	}
	return s.settleCopy(ctx, rec)
}

func dress(d *fstree.Dir, n fstree.Node) error {
	return errors.Join(d.Dress(n), d.Touch(".", n.ModTime))
}

// sourceDir opens what a path leads to in a root; nil when that is no directory.
func sourceDir(root, path string) (*fstree.Dir, fstree.Node, error) {
	var node fstree.Node
	tree, err := fstree.Open(root)
	if err != nil {
		return nil, node, err
	}
	defer tree.Close()
	p, err := tree.Find(path, true)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, node, nil
	}
	if err != nil {
		return nil, node, err
	}
	defer p.Close()
	if node, _, err = p.Dir.Node(p.Name); err != nil || !node.Mode.IsDir() {
		return nil, node, err
	}
	dir, err := p.OpenDir()
	return dir, node, err
}

// stagePath is where a copy-up is made: on the volume's own file system, so that it can be moved in.
func (s *Service) stagePath(rec engine.VolumeRecord) string {
	if needsMount(rec.Volume) {
		return filepath.Join(s.data(rec.Name), ".xc"+stageDir)
	}
	return filepath.Join(s.dir(rec.Name), stageDir)
}

// stage copies a directory and what it looks like beside the volume; after an error nothing of it remains.
func (s *Service) stage(ctx context.Context, rec engine.VolumeRecord, source *fstree.Dir, node fstree.Node) error {
	path := s.stagePath(rec)
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	to, err := fstree.OpenDir(path)
	if err == nil {
		if err = fstree.Copy(ctx, to, source); err == nil {
			err = dress(to, node)
		}
		err = errors.Join(err, to.Close())
	}
	if err != nil {
		return errors.Join(err, s.unstage(rec))
	}
	return nil
}

func (s *Service) unstage(rec engine.VolumeRecord) error {
	path := s.stagePath(rec)
	parent, err := fstree.OpenDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(parent.RemoveAll(filepath.Base(path)), parent.Close())
}

// staged reports whether a copy-up is whole and on its way into its place.
func staged(rec engine.VolumeRecord) bool {
	return rec.CopyUp == engine.CopyUpStaged || rec.CopyPart != ""
}

// settleCopy ends a copy-up that was begun: one that was copied whole is moved in, any other is taken away.
func (s *Service) settleCopy(ctx context.Context, rec engine.VolumeRecord) error {
	_, err := os.Lstat(s.stagePath(rec))
	gone := errors.Is(err, fs.ErrNotExist)
	if !staged(rec) {
		if gone {
			return nil
		}
		return s.unstage(rec)
	}
	switch {
	case gone: // with a volume in memory that was unmounted since
		if rec.CopyUp == engine.CopyUpStaged {
			rec.CopyUp = engine.CopyUpNone
		}
	case rec.CopyPart == "":
		rec.CopyUp = engine.CopyUpDone
		fallthrough
	default:
		if err := s.moveIn(rec); err != nil {
			return err
		}
	}
	rec.CopyPart = ""
	if err := s.put(context.WithoutCancel(ctx), rec); err != nil {
		return err
	}
	return s.unstage(rec)
}

// moveIn moves what was staged into its place. A place that is no directory any more gets nothing.
func (s *Service) moveIn(rec engine.VolumeRecord) error {
	stage, err := fstree.OpenDir(s.stagePath(rec))
	if err != nil {
		return err
	}
	defer stage.Close()
	to, _, err := sourceDir(s.data(rec.Name), rec.CopyPart)
	if err != nil || to == nil {
		return err
	}
	return errors.Join(moveTo(to, stage), to.Close())
}

// moveTo moves what a directory holds into another, which comes to look like it. What a user has put there meanwhile stays.
func moveTo(to, from *fstree.Dir) error {
	node, _, err := from.Node(".")
	if err != nil {
		return err
	}
	names, err := from.Names()
	if err != nil {
		return err
	}
	there, err := to.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.Contains(there, name) {
			continue
		}
		if err := to.Rename(from, name, name); err != nil {
			return err
		}
	}
	return dress(to, node)
}

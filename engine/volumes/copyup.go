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
	if rec.CopyUp == engine.CopyUpDone && subpath == "" {
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
		if rec, ok = s.lookup(name); !ok {
			return notFound("copy", name)
		}
	}
	if subpath != "" {
		return fault("copy", name, s.fillPart(ctx, rec, subpath, root, path))
	}
	return fault("copy", name, s.fill(ctx, rec, root, path))
}

// fillPart copies into a directory in a volume that is in its place. The name is locked.
func (s *Service) fillPart(ctx context.Context, rec engine.VolumeRecord, subpath, root, path string) error {
	if err := s.settleCopy(ctx, rec); err != nil {
		return err
	}
	source, node, err := sourceDir(root, path)
	if err != nil || source == nil {
		return err
	}
	defer source.Close()
	part, _, err := sourceDir(s.data(rec.Name), subpath)
	if err != nil || part == nil {
		return err
	}
	defer part.Close()
	names, err := part.Names()
	if err != nil || len(names) > 0 {
		return err
	}
	if err := s.stage(ctx, rec, source); err != nil {
		return err
	}
	if err := errors.Join(s.moveTo(part, rec), s.unstage(rec)); err != nil {
		return err
	}
	return errors.Join(part.Dress(node), part.Touch(".", node.ModTime))
}

// fill copies into a volume that is in its place. The name is locked.
func (s *Service) fill(ctx context.Context, rec engine.VolumeRecord, root, path string) error {
	if err := s.settleCopy(ctx, rec); err != nil {
		return err
	}
	if rec, _ = s.lookup(rec.Name); rec.CopyUp == engine.CopyUpDone {
		return nil
	}
	source, node, err := sourceDir(root, path)
	if err != nil || source == nil {
		return err
	}
	defer source.Close()
	volume, err := fstree.OpenDir(s.data(rec.Name))
	if err != nil {
		return err
	}
	defer volume.Close()
	names, err := volume.Names()
	if err != nil || len(names) > 0 {
		return err
	}
	if names, err = source.Names(); err != nil {
		return err
	}
	if len(names) > 0 {
		if err := s.stage(ctx, rec, source); err != nil {
			return err
		}
		rec.CopyUp = engine.CopyUpStaged
		if err := s.put(ctx, rec); err != nil {
			return err
		}
		if err := s.settleCopy(ctx, rec); err != nil {
			return err
		}
	}
	return errors.Join(volume.Dress(node), volume.Touch(".", node.ModTime))
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

// stage copies a directory beside the volume; after an error nothing of it remains.
func (s *Service) stage(ctx context.Context, rec engine.VolumeRecord, source *fstree.Dir) error {
	path := s.stagePath(rec)
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	to, err := fstree.OpenDir(path)
	if err == nil {
		err = errors.Join(fstree.Copy(ctx, to, source), to.Close())
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

// settleCopy ends a copy-up that was begun: one that was copied whole is moved in, any other is taken away.
func (s *Service) settleCopy(ctx context.Context, rec engine.VolumeRecord) error {
	if _, err := os.Lstat(s.stagePath(rec)); errors.Is(err, fs.ErrNotExist) && rec.CopyUp != engine.CopyUpStaged {
		return nil
	}
	if rec.CopyUp == engine.CopyUpStaged {
		if err := s.moveIn(rec); err != nil {
			return err
		}
		rec.CopyUp = engine.CopyUpDone
		if err := s.put(context.WithoutCancel(ctx), rec); err != nil {
			return err
		}
	}
	return s.unstage(rec)
}

// moveIn moves what was staged into the volume.
func (s *Service) moveIn(rec engine.VolumeRecord) error {
	volume, err := fstree.OpenDir(s.data(rec.Name))
	if err != nil {
		return err
	}
	return errors.Join(s.moveTo(volume, rec), volume.Close())
}

// moveTo moves what was staged into a directory. What a user of the volume has put there meanwhile stays.
func (s *Service) moveTo(to *fstree.Dir, rec engine.VolumeRecord) error {
	stage, err := fstree.OpenDir(s.stagePath(rec))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer stage.Close()
	names, err := stage.Names()
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
		if err := to.Rename(stage, name, name); err != nil {
			return err
		}
	}
	return nil
}

package lifecycle

import (
	"context"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
)

// An image is mounted as a root of its own, made of the image's layers at create and removed with the container. Nobody writes
// to it: the mount is read-only.

// planImages finds the images that are to be mounted and names the roots that will be made of them, so that the record names
// these before they exist. It makes nothing.
func (s *Service) planImages(ctx context.Context, points []engine.MountPoint) error {
	for i := range points {
		p := &points[i]
		if p.Kind != engine.MountImage {
			continue
		}
		p.Root = engine.ContainerID(engine.NewID())
		if p.Image != "" {
			continue // another container has it, by --volumes-from
		}
		img, err := s.Images.Lookup(ctx, p.Name, nil)
		if err != nil {
			return err
		}
		p.Image = img.ID
	}
	return nil
}

// makeImageRoots makes the roots that a new container's mount points name, and notes where they are mounted.
func (s *Service) makeImageRoots(ctx context.Context, c *engine.Container, undone *undo.Stack) error {
	for i := range c.Mounts {
		p := &c.Mounts[i]
		if p.Kind != engine.MountImage {
			continue
		}
		img, err := s.Images.Lookup(ctx, string(p.Image), nil)
		if err != nil {
			return err
		}
		undone.Push("root of an image", func(ctx context.Context) error { return s.Roots.Remove(ctx, p.Root) })
		if err := s.Roots.Create(ctx, p.Root, img.Top, nil); err != nil {
			return err
		}
		if p.Source, err = s.Roots.Mount(ctx, p.Root); err != nil {
			return err
		}
		if err := s.Roots.Unmount(ctx, p.Root); err != nil {
			return err
		}
		s.Failpoint("create.image")
	}
	return nil
}

// mountImage mounts an image's root and tells where.
func (s *Service) mountImage(ctx context.Context, p engine.MountPoint, undone *undo.Stack) (string, error) {
	undone.Push("image "+p.Name, func(ctx context.Context) error { return s.Roots.Unmount(ctx, p.Root) })
	return s.Roots.Mount(ctx, p.Root)
}

// imageRoots are the roots that a container has beside its own.
func imageRoots(c engine.Container) []engine.ContainerID {
	var roots []engine.ContainerID
	for _, p := range c.Mounts {
		if p.Root != "" {
			roots = append(roots, p.Root)
		}
	}
	return roots
}

// imagesOf are the images that a container needs, each once: its own and those that are mounted.
func imagesOf(c engine.Container) map[engine.ImageID]bool {
	images := map[engine.ImageID]bool{c.Image: true}
	for _, p := range c.Mounts {
		if p.Image != "" {
			images[p.Image] = true
		}
	}
	return images
}

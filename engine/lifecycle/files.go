package lifecycle

import (
	"context"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
)

// rootViewer is a Runtime's optional ability to show a running container's root with all its mounts at a host path.
type rootViewer interface {
	RootView(box engine.Sandbox, pid int) string
}

// withRoot gives a container's mounted root. One that does not run is mounted for this and keeps still until done is called.
func (s *Service) withRoot(ctx context.Context, ref string) (root engine.MountedRoot, done func(), err error) {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return root, nil, err
	}
	c, r := u.current()
	path, err := s.Roots.Mount(ctx, c.ID)
	if err != nil {
		unlock()
		return root, nil, wrap("read", c.Name, err)
	}
	root = engine.MountedRoot{Container: strings.TrimPrefix(ref, "/"), Path: path, ReadOnly: c.Spec.ReadonlyRoot, User: c.Spec.Process.User}
	if r != nil {
		unlock()
		root.Mounts = append(s.ownFiles(r.spec), r.spec.Mounts...)
		if v, ok := s.Runtime.(rootViewer); ok {
			root.Live = v.RootView(r.box, c.Status.Pid)
		}
		return root, func() {}, nil
	}
	if _, copies := s.Runtime.(CopiedFiles); !copies {
		for _, m := range s.ownFiles(s.sandboxSpec(c, path, s.knownMounts(c))) {
			if _, err := os.Stat(m.Source); err == nil { // it has run, or there is none yet
				root.Mounts = append(root.Mounts, m)
			}
		}
	}
	var undone undo.Stack
	for _, p := range c.Mounts {
		if p.Kind == engine.MountImage {
			if p.Source, err = s.mountImage(ctx, p, &undone); err != nil {
				defer unlock()
				undone.Push("root", func(ctx context.Context) error { return s.Roots.Unmount(ctx, c.ID) })
				s.takeBack(ctx, "read", c.ID, &undone)
				return root, nil, wrap("read", c.Name, err)
			}
		}
		if p.Kind != engine.MountTmpfs {
			root.Mounts = append(root.Mounts, engine.Mount{Kind: p.Kind, Source: p.Source, Subpath: p.Subpath, Target: p.Target, ReadOnly: p.ReadOnly})
		}
	}
	slices.SortFunc(root.Mounts, func(a, b engine.Mount) int { return strings.Compare(a.Target, b.Target) })
	return root, sync.OnceFunc(func() {
		defer unlock()
		s.logged(ctx, "unmount images", u, undone.Run(ctx))
		s.logged(ctx, "unmount root", u, s.Roots.Unmount(context.WithoutCancel(ctx), c.ID))
	}), nil
}

// ownFiles lists the engine's own files as the mounts that they are inside.
func (s *Service) ownFiles(spec engine.SandboxSpec) []engine.Mount {
	var mounts []engine.Mount
	for _, target := range slices.Sorted(maps.Keys(spec.Files)) {
		mounts = append(mounts, engine.Mount{Kind: engine.MountBind, Source: spec.Files[target], Target: target})
	}
	return mounts
}

// StatPath describes a path inside a container.
func (s *Service) StatPath(ctx context.Context, ref, path string) (engine.PathStat, error) {
	root, done, err := s.withRoot(ctx, ref)
	if err != nil {
		return engine.PathStat{}, err
	}
	defer done()
	return s.Files.Stat(ctx, root, path)
}

// ReadArchive gives a tar stream of a path inside a container.
func (s *Service) ReadArchive(ctx context.Context, ref, path string) (engine.Archive, error) {
	root, done, err := s.withRoot(ctx, ref)
	if err != nil {
		return engine.Archive{}, err
	}
	a, err := s.Files.Read(ctx, root, path)
	if err != nil {
		done()
		return a, err
	}
	if u, err := s.lookup(ref); err == nil {
		s.publish(u.snapshot(), "archive-path", nil)
	}
	a.ReadCloser = closing{a.ReadCloser, done}
	return a, nil
}

// WriteArchive extracts a tar stream at a directory inside a container.
func (s *Service) WriteArchive(ctx context.Context, ref, path string, tar io.Reader, o engine.ExtractOptions) error {
	root, done, err := s.withRoot(ctx, ref)
	if err != nil {
		return err
	}
	defer done()
	if err := s.Files.Write(ctx, root, path, tar, o); err != nil {
		return err
	}
	if u, err := s.lookup(ref); err == nil {
		s.publish(u.snapshot(), "extract-to-dir", nil)
	}
	return nil
}

// Export gives a container's whole root as a tar stream, without what is mounted in it.
func (s *Service) Export(ctx context.Context, ref string) (io.ReadCloser, error) {
	root, done, err := s.withRoot(ctx, ref)
	if err != nil {
		return nil, err
	}
	tar, err := s.Files.Export(ctx, root)
	if err != nil {
		done()
		return nil, err
	}
	if u, err := s.lookup(ref); err == nil {
		s.publish(u.snapshot(), "export", nil)
	}
	return closing{tar, done}, nil
}

// closing gives the root back with the stream's end.
type closing struct {
	io.ReadCloser
	done func()
}

func (c closing) Close() error {
	defer c.done()
	return c.ReadCloser.Close()
}

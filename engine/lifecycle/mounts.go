package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
)

// planMounts turns what was asked for into mount points, one per target: the user's own, those of --volumes-from, and an
// anonymous volume for each declared path that nothing covers. It makes nothing; anonymous volumes get their names here, so
// that the record names them before they exist.
func (s *Service) planMounts(spec engine.Spec) ([]engine.MountPoint, error) {
	var points []engine.MountPoint
	taken := map[string]bool{}
	for target := range spec.Tmpfs {
		taken[path.Clean(target)] = true
	}
	for i, m := range spec.Mounts {
		if taken[m.Target] {
			return nil, invalidMount(m.Target, fmt.Errorf("Duplicate mount point: %s", m.Target))
		}
		taken[m.Target] = true
		p, err := s.planMount(spec, i, m)
		if err != nil {
			return nil, err
		}
		points = append(points, p)
	}
	inherited, err := s.inheritMounts(spec.VolumesFrom)
	if err != nil {
		return nil, err
	}
	for _, p := range inherited {
		if !taken[p.Target] {
			taken[p.Target] = true
			points = append(points, p)
		}
	}
	for _, target := range spec.VolumePaths {
		if target = path.Clean(target); taken[target] {
			continue
		}
		taken[target] = true
		p, err := s.planMount(spec, -1, engine.MountSpec{Kind: engine.MountVolume, Target: target})
		if err != nil {
			return nil, err
		}
		points = append(points, p)
	}
	return points, nil
}

func (s *Service) planMount(spec engine.Spec, index int, m engine.MountSpec) (engine.MountPoint, error) {
	p := engine.MountPoint{
		Kind: m.Kind, Target: m.Target, Mode: m.Mode, ReadOnly: m.ReadOnly, Propagation: m.Propagation,
		NonRecursive: m.NonRecursive, Subpath: m.Subpath, Spec: index,
	}
	switch m.Kind {
	case engine.MountBind:
		if _, err := os.Lstat(m.Source); err != nil && !m.CreateSource {
			if !errors.Is(err, fs.ErrNotExist) {
				return p, invalidMount(m.Target, err)
			}
			return p, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourcePath, ID: m.Source, Reason: engine.ReasonNoSource, Args: []string{m.Source}}
		}
		p.Source = m.Source
		if err := s.propagate(&p); err != nil {
			return p, err
		}
	case engine.MountVolume:
		p.Name, p.Anonymous, p.CopyUp = m.Source, m.Source == "", !m.NoCopy
		if p.Anonymous {
			p.Name = engine.NewID()
		}
		p.Driver = first(m.VolumeDriver, spec.VolumeDriver)
	case engine.MountTmpfs:
		p.Options = tmpfsOptions(m)
	case engine.MountImage:
		p.Name, p.ReadOnly, p.Propagation = m.Source, true, "rprivate"
	default:
		return p, &engine.Error{Op: "create", Kind: engine.NotImplemented, Resource: engine.ResourceContainer, Reason: engine.ReasonUnsupported, Args: []string{"mount type " + string(m.Kind), "this engine cannot mount it"}}
	}
	return p, nil
}

// propagate completes a bind's propagation. A bind that has the daemon's own mounts in it, that of the whole host above all,
// follows the host as with dockerd: it would keep the roots of containers from being unmounted.
func (s *Service) propagate(p *engine.MountPoint) error {
	ours := s.StateDir != "" && s.Runtime.Capabilities().Propagation && (within(p.Source, s.StateDir) || within(s.StateDir, p.Source))
	switch {
	case !ours:
		p.Propagation = first(p.Propagation, "rprivate")
	case p.Propagation == "":
		p.Propagation = "rslave"
	case p.Propagation != "rslave" && p.Propagation != "rshared":
		return &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: fmt.Errorf(
			"invalid mount config: must use either propagation mode \"rslave\" or \"rshared\" when mount source is within the daemon root, daemon root: %q, bind mount source: %q, propagation: %q",
			s.StateDir, p.Source, p.Propagation)}
	}
	return nil
}

// within reports whether a clean path is dir or below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// ensureVolumes makes the volumes that a new container's mount points name.
func (s *Service) ensureVolumes(ctx context.Context, c *engine.Container, undone *undo.Stack) error {
	points := slices.Clone(c.Mounts)
	for i := range points {
		p := &points[i]
		if p.Kind != engine.MountVolume {
			continue
		}
		req := engine.VolumeRequest{Name: p.Name, Driver: p.Driver, Anonymous: p.Anonymous}
		if p.Spec >= 0 {
			req.Labels, req.Options = c.Spec.Mounts[p.Spec].VolumeLabels, c.Spec.Mounts[p.Spec].VolumeDriverOptions
		}
		if p.Anonymous && !p.Inherited {
			undone.Push("anonymous volume", func(ctx context.Context) error { return s.removeVolume(ctx, req.Name) })
		}
		v, err := s.Volumes.Ensure(ctx, req)
		if err != nil {
			return err
		}
		p.Source, p.Driver = v.Mountpoint, v.Driver
	}
	c.Mounts = points
	return nil
}

// removeVolume removes an anonymous volume, which may be gone already.
func (s *Service) removeVolume(ctx context.Context, name string) error {
	if err := s.Volumes.Remove(ctx, name, true); err != nil && engine.KindOf(err) != engine.NotFound {
		return err
	}
	return nil
}

func tmpfsOptions(m engine.MountSpec) []string {
	var o []string
	if m.TmpfsSize > 0 {
		o = append(o, fmt.Sprintf("size=%d", m.TmpfsSize))
	}
	if m.TmpfsMode != 0 {
		o = append(o, fmt.Sprintf("mode=%o", m.TmpfsMode))
	}
	for _, pair := range m.TmpfsOptions {
		o = append(o, strings.Join(pair, "="))
	}
	return o
}

// inheritMounts collects the mount points of the containers that --volumes-from names.
func (s *Service) inheritMounts(from []string) ([]engine.MountPoint, error) {
	var points []engine.MountPoint
	for _, f := range from {
		ref, mode, _ := strings.Cut(f, ":")
		u, err := s.lookup(ref)
		if err != nil {
			return nil, noPeer("create", ref, "")
		}
		for _, p := range u.snapshot().Mounts {
			if p.Kind == engine.MountTmpfs {
				continue
			}
			p.Spec, p.CopyUp, p.Inherited = -1, false, true
			if slices.Contains(strings.Split(mode, ","), "ro") {
				p.ReadOnly = true
			}
			if i := slices.IndexFunc(points, func(earlier engine.MountPoint) bool { return earlier.Target == p.Target }); i >= 0 {
				points[i] = p // the last of those that are named has it, as with dockerd
				continue
			}
			points = append(points, p)
		}
	}
	return points, nil
}

func invalidMount(target string, err error) error {
	return &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourcePath, ID: target, Err: err}
}

// dressRoot makes a new container's working directory in its root, below the mounts, so that it is there to be copied to, and
// fills its new volumes with what its image has at their places. What nobody but a build sees gets its directory at the start.
func (s *Service) dressRoot(ctx context.Context, c engine.Container) (err error) {
	dir := c.Spec.Process.WorkDir
	if c.Spec.Transient || path.Clean(dir) == "/" {
		dir = ""
	}
	if dir == "" && !slices.ContainsFunc(c.Mounts, func(p engine.MountPoint) bool { return p.CopyUp }) {
		return nil
	}
	root, err := s.Roots.Mount(ctx, c.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Roots.Unmount(context.WithoutCancel(ctx), c.ID)) }()
	if dir != "" {
		if err := s.Files.MakeDir(ctx, engine.MountedRoot{Container: c.Name, Path: root}, dir); err != nil {
			return err
		}
	}
	for _, p := range c.Mounts {
		if !p.CopyUp {
			continue
		}
		if err := s.Volumes.CopyUp(ctx, p.Name, p.Subpath, root, p.Target); err != nil {
			return err
		}
	}
	return nil
}

// mountSources makes the sources of a container's mounts ready and lists them as the platform takes them, parents before
// children. Each volume that was mounted is pushed on undone.
func (s *Service) mountSources(ctx context.Context, c engine.Container, undone *undo.Stack) ([]engine.Mount, error) {
	mounts := make([]engine.Mount, 0, len(c.Mounts)+len(c.Spec.Tmpfs))
	for _, p := range c.Mounts {
		m := engine.Mount{Kind: p.Kind, Source: p.Source, Target: p.Target, ReadOnly: p.ReadOnly, Propagation: p.Propagation, NonRecursive: p.NonRecursive, Options: p.Options}
		switch p.Kind {
		case engine.MountBind:
			if err := ensureSource(c, p); err != nil {
				return nil, err
			}
		case engine.MountVolume:
			source, err := s.Volumes.Mount(ctx, p.Name, c.ID)
			if err != nil {
				return nil, err
			}
			undone.Push("volume "+p.Name, func(ctx context.Context) error { return s.Volumes.Unmount(ctx, p.Name, c.ID) })
			s.publishVolume(c, p, "mount", map[string]string{
				"destination": p.Target, "read/write": strconv.FormatBool(!p.ReadOnly), "propagation": p.Propagation,
			})
			m.Source, m.Subpath = source, p.Subpath
		case engine.MountImage:
			source, err := s.mountImage(ctx, p, undone)
			if err != nil {
				return nil, err
			}
			m.Source, m.Subpath = source, p.Subpath
		}
		mounts = append(mounts, m)
	}
	for target, options := range c.Spec.Tmpfs {
		m := engine.Mount{Kind: engine.MountTmpfs, Target: path.Clean(target)}
		if options != "" {
			m.Options = strings.Split(options, ",")
		}
		mounts = append(mounts, m)
	}
	slices.SortFunc(mounts, func(a, b engine.Mount) int {
		if d := strings.Count(a.Target, "/") - strings.Count(b.Target, "/"); d != 0 {
			return d
		}
		return strings.Compare(a.Target, b.Target)
	})
	return mounts, nil
}

// ensureSource makes the directory of a bind that was asked for with -v.
func ensureSource(c engine.Container, p engine.MountPoint) error {
	_, err := os.Stat(p.Source)
	if err == nil {
		return nil
	}
	create := p.Spec < 0 || c.Spec.Mounts[p.Spec].CreateSource
	if errors.Is(err, fs.ErrNotExist) && create {
		err = os.MkdirAll(p.Source, 0o755)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &engine.Error{Op: "start", Kind: engine.Invalid, Resource: engine.ResourcePath, ID: p.Source, Reason: engine.ReasonNoSource, Args: []string{p.Source}}
	}
	if err != nil {
		return invalidMount(p.Target, err)
	}
	return nil
}

package nativeapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
	"github.com/xcengine/xc/imageformat"
)

// imageConfig answers the image's JailConfig: its own, or what its configuration says in those words.
func (s *Server) imageConfig(ctx context.Context, c *call) error {
	found, err := s.cfg.Images.Description(ctx, c.ref())
	if err != nil {
		return err
	}
	return c.answer(found)
}

// setImageConfig replaces it.
func (s *Server) setImageConfig(ctx context.Context, c *call) error {
	var body wire.JailConfig
	if err := c.read(&body); err != nil {
		return err
	}
	return s.configure(ctx, c, func(j *imageformat.JailConfig) error {
		*j = body
		return checkJail(body)
	})
}

// patchImage changes parts of it, in the order of the list, all or none.
func (s *Server) patchImage(ctx context.Context, c *call) error {
	var body []wire.ImagePatch
	if err := c.read(&body); err != nil {
		return err
	}
	if len(body) == 0 {
		return invalid(errors.New("there is nothing to change"))
	}
	return s.configure(ctx, c, func(j *imageformat.JailConfig) error { return patched(j, body) })
}

func (s *Server) configure(ctx context.Context, c *call, change func(*imageformat.JailConfig) error) error {
	id, err := s.cfg.Images.Configure(ctx, c.ref(), change)
	if err != nil {
		return err
	}
	return c.answer(wire.Made{ID: string(id)})
}

// patched applies changes and checks the whole. What j held before is not changed in place.
func patched(j *imageformat.JailConfig, list []wire.ImagePatch) error {
	for i, p := range list {
		if err := patch(j, p); err != nil {
			return fmt.Errorf("change %d: %w", i+1, err)
		}
	}
	return checkJail(*j)
}

func patch(j *imageformat.JailConfig, p wire.ImagePatch) error {
	switch {
	case p.AddEnv != nil:
		put(&j.Envs, p.AddEnv.Name, imageformat.EnvSpec{Description: p.AddEnv.Description, Required: p.AddEnv.Required, DefaultValue: p.AddEnv.Default})
	case p.AddExec != nil:
		x := p.AddExec
		if x.Name == "" {
			return errors.New("the entry point has no name")
		}
		put(&j.EntryPoints, x.Name, imageformat.Exec{
			Exec: x.Program, DefaultArgs: x.Args, Environ: x.Env, RequiredEnvs: x.RequireEnv, User: x.User, Group: x.Group, WorkDir: x.WorkDir,
		})
	case p.DefaultEntryPoint != "":
		j.DefaultEntryPoint = p.DefaultEntryPoint
	case p.AddVolume != nil:
		return patchVolume(j, *p.AddVolume)
	case p.Mount != nil:
		m := imageformat.SpecialMount{MountType: p.Mount.Type, MountPoint: p.Mount.Path}
		if !slices.ContainsFunc(j.SpecialMounts, func(o imageformat.SpecialMount) bool {
			return o.MountType == m.MountType && o.MountPoint == m.MountPoint
		}) {
			j.SpecialMounts = append(slices.Clone(j.SpecialMounts), m)
		}
	case len(p.Allow) > 0:
		j.SetAllow(p.Allow)
	case len(p.SysV) > 0:
		for _, word := range p.SysV {
			if kind, ok := j.SetSysV(word); !ok {
				return fmt.Errorf("System V IPC has shm, msg and sem, not %q", kind)
			}
		}
	case p.Device != "":
		j.DevfsRules = append(slices.Clone(j.DevfsRules), p.Device)
	case p.Port != nil:
		put(&j.Ports, p.Port.Port, p.Port.Description)
	default:
		return errors.New("it changes nothing")
	}
	return nil
}

func put[V any](m *map[string]V, key string, v V) {
	if *m = maps.Clone(*m); *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}

func patchVolume(j *imageformat.JailConfig, v wire.PatchVolume) error {
	name := v.Name
	if name == "" {
		name = v.MountPoint
	}
	for other, m := range j.Mounts {
		if other != name && m.Destination == v.MountPoint {
			return fmt.Errorf("the volume %s has the mount point %s already", other, v.MountPoint)
		}
	}
	put(&j.Mounts, name, imageformat.MountSpec{
		Description: v.Description, Destination: v.MountPoint, VolumeHints: v.Hints, ReadOnly: v.ReadOnly, Required: v.Required,
	})
	return nil
}

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	parameter    = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`)
	portRange    = regexp.MustCompile(`^[0-9]{1,5}(-[0-9]{1,5})?(/(tcp|udp|sctp))?$`)
)

// checkJail says everything that is wrong with a description.
func checkJail(j imageformat.JailConfig) error {
	var errs []error
	wrong := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(j.Envs)) {
		wrong(variableName.MatchString(name), "envs: %q is not the name of a variable", name)
	}
	for _, name := range slices.Sorted(maps.Keys(j.EntryPoints)) {
		e := j.EntryPoints[name]
		wrong(e.Exec != "", "entry_points: %s has no program", name)
		wrong(e.WorkDir == "" || path.IsAbs(e.WorkDir), "entry_points: %s: work_dir %q is not absolute", name, e.WorkDir)
		for _, v := range append(slices.Sorted(maps.Keys(e.Environ)), e.RequiredEnvs...) {
			wrong(variableName.MatchString(v), "entry_points: %s: %q is not the name of a variable", name, v)
		}
	}
	if d := j.DefaultEntryPoint; d != "" {
		_, there := j.EntryPoints[d]
		wrong(there, "default_entry_point: there is no entry point %q", d)
	}
	for _, name := range slices.Sorted(maps.Keys(j.Mounts)) {
		to := j.Mounts[name].Destination
		wrong(path.IsAbs(to), "mounts: %s: destination %q is not absolute", name, to)
	}
	for _, m := range j.SpecialMounts {
		wrong(m.MountType == "procfs" || m.MountType == "fdescfs", "special_mounts: %q is neither procfs nor fdescfs", m.MountType)
		wrong(path.IsAbs(m.MountPoint), "special_mounts: mount_point %q is not absolute", m.MountPoint)
	}
	for _, a := range j.Allow {
		wrong(parameter.MatchString(a), "allow: %q is not the name of a parameter", a)
	}
	for _, p := range slices.Sorted(maps.Keys(j.Ports)) {
		wrong(portRange.MatchString(p), "ports: %q is not PORT[-PORT][/PROTOCOL]", p)
	}
	modes := []imageformat.SysVIPC{"", imageformat.SysVNew, imageformat.SysVInherit, imageformat.SysVDisable}
	for key, mode := range map[string]imageformat.SysVIPC{"sysv_msg": j.SysVMsg, "sysv_shm": j.SysVShm, "sysv_sem": j.SysVSem} {
		wrong(slices.Contains(modes, mode), "%s: %q is none of new, inherit and disable", key, mode)
	}
	if len(errs) > 0 {
		return &engine.Error{Kind: engine.Invalid, Resource: engine.ResourceImage, Err: errors.Join(errs...)}
	}
	return nil
}

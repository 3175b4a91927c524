package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
	"github.com/xcengine/xc/imageformat"
)

// Create makes a container and its root. Nothing of it remains after an error.
func (s *Service) Create(ctx context.Context, req engine.CreateRequest) (engine.CreateResult, error) {
	c, a, err := s.plan(ctx, req)
	if err != nil {
		return engine.CreateResult{}, err
	}
	if c.Name, err = s.reserve(req.Name, c.ID); err != nil {
		return engine.CreateResult{}, err
	}
	var undone undo.Stack
	undone.Push("name", func(context.Context) error { s.release(c.Name, c.ID); return nil })
	s.setMaking(c)
	defer s.unsetMaking(c.ID)
	if err := s.build(ctx, &c, a, &undone); err != nil {
		s.takeBack(ctx, "create", c.ID, &undone)
		return engine.CreateResult{}, wrap("create", c.Name, err)
	}
	undone.Drop()
	s.publish(c, "create", nil)
	return engine.CreateResult{ID: c.ID, Warnings: a.warnings}, nil
}

// plan merges and checks everything that can be known before anything is made.
func (s *Service) plan(ctx context.Context, req engine.CreateRequest) (engine.Container, *asks, error) {
	none := engine.Container{}
	if req.Name != "" {
		if err := checkName(cmp.Or(strings.TrimPrefix(req.Name, "/"), req.Name)); err != nil {
			return none, nil, err
		}
	}
	if req.Spec.ImageRef == "" && len(req.Spec.Process.Args()) == 0 {
		return none, nil, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Reason: engine.ReasonNoCommand}
	}
	img, err := s.Images.Lookup(ctx, req.Spec.ImageRef, req.Platform)
	if err != nil {
		return none, nil, err
	}
	c := engine.Container{ID: engine.ContainerID(engine.NewID()), Created: now(), Image: img.ID, Driver: s.Roots.Driver(), Spec: req.Spec}
	c.Spec.Labels = mergeLabels(c.Spec.Labels, img.Config.Labels)
	a := newAsks(&c.Spec, img, s.Runtime.Capabilities().Jails)
	c.Platform = a.platform()
	config := img.Config
	if a.process() {
		config.Process = engine.ProcessSpec{}
	}
	c.Spec = mergeImage(c.Spec, config)
	a.rest()
	a.fillings = s.fillings(ctx, a, req.Platform, hostFiles(req.Opened))
	a.errs = append(a.errs, s.completeSpec(&c)...)
	if c.Mounts, err = s.planMounts(c.Spec); err == nil {
		a.readOnly(c.Mounts)
		a.required(c.Mounts)
		err = s.planImages(ctx, c.Mounts)
	}
	a.errs = append(a.errs, err)
	if c.Endpoints, err = s.planEndpoints(ctx, c.Spec.Network.Mode, req.Endpoints); err == nil {
		err = s.Networks.CheckLabels(c.Spec.Network.Mode, c.Endpoints, keysOf(c))
	}
	a.errs = append(a.errs, err)
	logFile, err := s.LogReader.Check(c.Spec.Log, c)
	a.errs = append(a.errs, err)
	if logFile.Driver != "none" {
		c.LogPath = filepath.Join(s.dir(c.ID), string(c.ID)+"-json.log")
	}
	warnings, err := s.Runtime.Check(ctx, engine.SandboxSpec{
		ID: c.ID, Platform: c.Platform, Spec: c.Spec, Args: c.Spec.Process.Args(), HostNetwork: c.Spec.Network.Mode == "host",
	})
	if err := problems(append(a.errs, err)...); err != nil {
		return none, nil, err
	}
	a.warnings = append(a.warnings, warnings...)
	if req.Platform == nil && !s.runs(c.Platform) {
		a.warnings = append(a.warnings, fmt.Sprintf("The requested image's platform (%s) does not match the detected host platform (%s) and no specific platform was requested", c.Platform, s.Platform))
	}
	return c, a, nil
}

// runs reports whether this host is made for images of the platform: of its own, and of those that it takes when none is asked for.
func (s *Service) runs(p engine.Platform) bool {
	host := imageformat.Platform{OS: s.Platform.OS, Architecture: s.Platform.Architecture, Variant: s.Platform.Variant}
	return slices.ContainsFunc(imageformat.Preference(host), func(q imageformat.Platform) bool {
		return q.OS == p.OS && q.Architecture == p.Architecture
	})
}

// completeSpec fills the defaults that do not come from the image and tells what contradicts itself.
func (s *Service) completeSpec(c *engine.Container) (errs []error) {
	invalid := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: fmt.Errorf(format, args...)})
		}
	}
	spec := &c.Spec
	if len(spec.Process.Args()) == 0 {
		errs = append(errs, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Reason: engine.ReasonNoCommand})
	}
	dir := spec.Process.WorkDir
	invalid(dir != "" && !strings.HasPrefix(dir, "/"), "the working directory '%s' is invalid, it needs to be an absolute path", dir)
	invalid(spec.AutoRemove && spec.Restart.Name != "" && spec.Restart.Name != engine.RestartNo, "can't create 'AutoRemove' container with restart policy")
	if spec.Log.Driver == "" {
		// The daemon's options hold for the daemon's driver only.
		if spec.Log.Options == nil {
			spec.Log.Options = s.DefaultLog.Options
		}
		spec.Log.Driver = s.DefaultLog.Driver
	}
	for _, join := range []*string{(*string)(&spec.Network.Mode), &spec.Security.PidMode, &spec.Security.IpcMode} {
		ref, isPeer := strings.CutPrefix(*join, "container:")
		if !isPeer {
			continue
		}
		u, err := s.lookup(ref)
		switch {
		case err == nil:
			*join = "container:" + string(u.snapshot().ID)
		case join != (*string)(&spec.Network.Mode):
			errs = append(errs, noPeer("create", ref, ""))
		}
		// Whose network it joins has to be there at the start only, as with dockerd.
	}
	errs = append(errs, s.resolveLinks(c))
	if spec.Hostname == "" {
		if spec.Network.Mode == "host" || spec.Security.UTSMode == "host" {
			spec.Hostname, _ = os.Hostname()
		} else {
			spec.Hostname = c.ID.Short()
		}
	}
	return errs
}

// noPeer is the refusal of a container that another one needs. It is not of the kind NotFound, which clients take for an
// absent image.
func noPeer(op, ref, prefix string) error {
	return &engine.Error{
		Op: op, Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: ref,
		Err: fmt.Errorf("%sNo such container: %s", prefix, ref), //nolint:staticcheck // Docker's words
	}
}

// build makes the container. Each step is on the undo stack before it is done, so that a step that fails half-way is
// taken back too.
func (s *Service) build(ctx context.Context, c *engine.Container, a *asks, undone *undo.Stack) error {
	c.Status = engine.Status{State: engine.StateCreated, Intent: engine.IntentCreate}
	undone.Push("record", func(ctx context.Context) error { return s.Store.DeleteContainer(ctx, c.ID) })
	if err := s.Store.PutContainer(ctx, *c); err != nil {
		return err
	}
	s.Failpoint("create.intent")
	undone.Push("directory", func(context.Context) error { return os.RemoveAll(s.dir(c.ID)) })
	if err := os.MkdirAll(s.dir(c.ID), 0o710); err != nil {
		return err
	}
	s.Failpoint("create.directory")
	undone.Push("root", func(ctx context.Context) error { return s.Roots.Remove(ctx, c.ID) })
	if err := s.Roots.Create(ctx, c.ID, a.img.Top, c.Spec.StorageOpts); err != nil {
		return err
	}
	s.Failpoint("create.root")
	if err := s.fill(ctx, c.ID, a.fillings); err != nil {
		return err
	}
	s.Failpoint("create.filled")
	if err := s.makeImageRoots(ctx, c, undone); err != nil {
		return err
	}
	if err := s.ensureVolumes(ctx, c, undone); err != nil {
		return err
	}
	if err := s.dressRoot(ctx, *c); err != nil {
		return err
	}
	s.Failpoint("create.volumes")
	c.Status.Intent = engine.IntentNone
	if err := s.Store.PutContainer(ctx, *c); err != nil {
		return err
	}
	s.add(*c)
	return nil
}

func (s *Service) setMaking(c engine.Container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.making[c.ID] = c
}

func (s *Service) unsetMaking(id engine.ContainerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.making, id)
}

func (s *Service) add(c engine.Container) *unit {
	u := &unit{op: newOpLock(), rec: c, execs: map[engine.ExecID]*execution{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units[c.ID], s.names[c.Name] = u, c.ID
	s.noteLinks(c)
	s.noteGroups(c)
	return u
}

// wrap makes an engine error of a foreign one, with what was done to which container.
func wrap(op, name string, err error) error {
	var known *engine.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &engine.Error{Op: op, Kind: engine.KindOf(err), Resource: engine.ResourceContainer, ID: name, Err: err}
}

// takeBack undoes a failed operation. What cannot be undone now is found again by recovery.
func (s *Service) takeBack(ctx context.Context, op string, id engine.ContainerID, undone *undo.Stack) {
	if err := undone.Run(ctx); err != nil {
		s.Log.ErrorContext(ctx, "undoing a failed operation", "op", op, "container", id, "error", err)
	}
}

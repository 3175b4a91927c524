package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/linux/cgroup"
)

// Runtime implements lifecycle.Runtime. It keeps nothing in memory of a sandbox; its methods are safe for concurrent use.
type Runtime struct {
	cfg     Config
	places  places
	host    host
	program program            // of containers that ask for none
	others  map[string]program // further ones that work, by name
	about   engine.Capabilities
	ooms    *cgroup.OOMs
	log     *slog.Logger
}

// New finds an OCI runtime that works on this host. The error says what to install when there is none.
func New(ctx context.Context, cfg Config) (*Runtime, error) {
	if !filepath.IsAbs(cfg.InitPath) {
		return nil, &engine.Error{Op: "open runtime", Kind: engine.Invalid, Err: fmt.Errorf("the path of docker-init's program, %q, is not absolute", cfg.InitPath)}
	}
	if err := checkStatic(cfg.InitPath); err != nil {
		return nil, &engine.Error{Op: "open runtime", Kind: engine.Unavailable, Err: err}
	}
	h, err := readHost(cfg)
	if err != nil {
		return nil, &engine.Error{Op: "open runtime", Kind: engine.Unavailable, Err: err}
	}
	r := &Runtime{cfg: cfg, places: places{cfg.StateDir}, host: h, ooms: &cgroup.OOMs{}, log: cfg.Log}
	for _, dir := range []string{r.places.sandboxes(), r.places.netnsDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, &engine.Error{Op: "open runtime", Err: err}
		}
	}
	if err := nameHostNetNS(filepath.Join(r.places.netnsDir(), engine.HostNetNS)); err != nil {
		return nil, &engine.Error{Op: "open runtime", Err: err}
	}
	if err = r.find(ctx); err != nil {
		return nil, &engine.Error{Op: "open runtime", Kind: engine.Unavailable, Err: errors.Join(err, r.Close())}
	}
	if r.about, err = describe(r.host, r.program); err != nil {
		return nil, &engine.Error{Op: "open runtime", Err: err}
	}
	r.about.Runtimes = map[string]string{}
	for name, p := range r.others {
		r.about.Runtimes[name] = p.Path
	}
	return r, nil
}

// choose returns the program that a container asks for.
func (r *Runtime) choose(name string) (program, error) {
	if name == "" || name == r.program.name() {
		return r.program, nil
	}
	if p, ok := r.others[name]; ok {
		return p, nil
	}
	return program{}, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: fmt.Errorf("unknown or invalid runtime name: %s", name)}
}

// programOf is what an existing sandbox's processes are started with; should that be gone, it is the one that others get.
func (r *Runtime) programOf(rec record) program {
	p, err := r.choose(rec.Runtime)
	if err != nil {
		return r.program
	}
	return p
}

// Close removes the parent of the containers' control groups if no container is left. A Runtime may be used again after it.
func (r *Runtime) Close() error {
	r.host.groups.Group(r.host.groupParent).RemoveEmpty()
	return r.ooms.Close()
}

// Capabilities implements lifecycle.Runtime.
func (r *Runtime) Capabilities() engine.Capabilities { return r.about }

// Check implements lifecycle.Runtime.
func (r *Runtime) Check(_ context.Context, spec engine.SandboxSpec) ([]string, error) {
	if _, err := r.choose(spec.Spec.Runtime); err != nil {
		return nil, err
	}
	return check(spec, r.host)
}

// group is the control group of an existing sandbox.
func (r *Runtime) group(id engine.ContainerID) (cgroup.Group, error) {
	rec, err := r.places.readRecord(id)
	if err != nil {
		return cgroup.Group{}, err
	}
	if rec.Group == "" {
		rec.Group = groupPath(r.host.groupParent, "", id)
	}
	return r.host.groups.Group(rec.Group), nil
}

// running is group for what makes no sense without processes.
func (r *Runtime) running(op string, id engine.ContainerID) (cgroup.Group, error) {
	g, err := r.group(id)
	if err != nil {
		return g, failed(op, id, err)
	}
	if !g.Exists() {
		return g, &engine.Error{Op: op, Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: string(id), Reason: engine.ReasonNotRunning, Args: []string{string(id)}}
	}
	return g, nil
}

func failed(op string, id engine.ContainerID, err error) error {
	if err == nil {
		return nil
	}
	return &engine.Error{Op: op, Kind: engine.KindOf(err), Resource: engine.ResourceContainer, ID: string(id), Err: err}
}

// Ended implements lifecycle.Runtime.
func (r *Runtime) Ended(_ context.Context, id engine.ContainerID) (engine.ExitInfo, error) {
	g, err := r.group(id)
	if err != nil {
		return engine.ExitInfo{}, failed("inspect", id, err)
	}
	return engine.ExitInfo{OOMKilled: g.OOMKills() > 0}, nil
}

// WatchOOM implements lifecycle.OOMWatcher.
func (r *Runtime) WatchOOM(id engine.ContainerID, tell func()) (stop func(), err error) {
	g, err := r.group(id)
	if err == nil {
		stop, err = r.ooms.Watch(g, tell)
	}
	return stop, failed("watch", id, err)
}

// Pause implements lifecycle.Runtime.
func (r *Runtime) Pause(ctx context.Context, id engine.ContainerID) error {
	g, err := r.running("pause", id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, freezeTimeout)
	defer cancel()
	return failed("pause", id, g.Freeze(ctx))
}

// Resume implements lifecycle.Runtime.
func (r *Runtime) Resume(ctx context.Context, id engine.ContainerID) error {
	g, err := r.running("unpause", id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, freezeTimeout)
	defer cancel()
	return failed("unpause", id, g.Thaw(ctx))
}

// Sandboxes implements lifecycle.Runtime.
func (r *Runtime) Sandboxes(context.Context) ([]engine.ContainerID, error) {
	dirs, err := names(r.places.sandboxes())
	if err != nil {
		return nil, err
	}
	groups, err := r.host.groups.Children(r.host.groupParent)
	if err != nil {
		return nil, err
	}
	pins, err := names(r.places.netnsDir())
	if err != nil {
		return nil, err
	}
	pins = slices.DeleteFunc(pins, func(name string) bool { return name == engine.HostNetNS })
	return collect(append(dirs, groups...), pins), nil
}

func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list sandboxes: %w", err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all, nil
}

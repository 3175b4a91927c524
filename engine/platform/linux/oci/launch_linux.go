package oci

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/platform/linux/oci/launch"
)

// Launch implements lifecycle.Runtime: it writes the bundle's config.json and makes the working directory.
func (r *Runtime) Launch(_ context.Context, spec engine.SandboxSpec, box engine.Sandbox) (engine.Launch, error) {
	if err := r.writeConfig(spec, box, nil); err != nil {
		return engine.Launch{}, failed("start", spec.ID, err)
	}
	l, err := r.payload(spec, nil, spec.Args, spec.Spec.Process)
	if err != nil {
		return l, failed("start", spec.ID, err)
	}
	l.Stdin, l.StdinOnce = spec.Spec.OpenStdin, spec.Spec.StdinOnce
	return l, nil
}

// writeConfig renders a container's configuration into its bundle. args, if any, are run as they are.
func (r *Runtime) writeConfig(spec engine.SandboxSpec, box engine.Sandbox, args []string) error {
	var err error
	if spec.Mounts, err = holdParts(r.places.sandbox(spec.ID), spec.Mounts); err != nil {
		return err
	}
	req, err := r.look(spec, box, spec.Spec.Process)
	if err != nil {
		return err
	}
	rec, err := r.places.readRecord(spec.ID)
	if err != nil {
		return err
	}
	req.shm = rec.Shm
	if req.devices, req.rules, err = findDevices(spec.Spec.Resources, spec.Spec.Security.Privileged); err != nil {
		return err
	}
	h := r.host
	h.recursiveRO = r.programOf(rec).RecursiveRO
	config, err := render(req, h)
	if err != nil {
		return err
	}
	if args != nil {
		config.Process.Args = args
	}
	if err := checkPropagation(spec.Mounts, r.places.state); err != nil {
		return err
	}
	if err := makeWorkDir(spec.Root, spec.Spec.Process.WorkDir); err != nil {
		return err
	}
	b, err := json.Marshal(config)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(bundle(spec.Dir), "config.json"), b, 0o600)
}

// LaunchExec implements lifecycle.Runtime. A user, groups or a working directory that the exec does not name are the
// container's.
func (r *Runtime) LaunchExec(_ context.Context, spec engine.SandboxSpec, box engine.Sandbox, id engine.ExecID, exec engine.ExecSpec) (engine.Launch, error) {
	if exec.Process.User == "" {
		exec.Process.User = spec.Spec.Process.User
	}
	if len(exec.Process.Groups) == 0 {
		exec.Process.Groups = spec.Spec.Process.Groups
	}
	p, err := r.execProcess(spec, box, exec)
	if err != nil {
		return engine.Launch{}, &engine.Error{Op: "exec", Kind: engine.KindOf(err), Resource: engine.ResourceExec, ID: string(id), Err: err}
	}
	l, err := r.payload(spec, p, exec.Process.Args(), exec.Process)
	if err != nil {
		return l, &engine.Error{Op: "exec", Kind: engine.KindOf(err), Resource: engine.ResourceExec, ID: string(id), Err: err}
	}
	l.Stdin, l.StdinOnce = exec.AttachStdin, true
	return l, nil
}

func (r *Runtime) execProcess(spec engine.SandboxSpec, box engine.Sandbox, exec engine.ExecSpec) (*specs.Process, error) {
	req, err := r.look(spec, box, exec.Process)
	if err != nil {
		return nil, err
	}
	return renderExec(req, exec, r.host)
}

// look finds out what a process's rendering needs of the container's root.
func (r *Runtime) look(spec engine.SandboxSpec, box engine.Sandbox, p engine.ProcessSpec) (request, error) {
	req := request{SandboxSpec: spec, netns: box.NetNS, numbers: blockDevice}
	var err error
	if req.options, err = parseOptions(spec.Spec.Security.Options); err != nil {
		return req, &engine.Error{Op: "start", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: err}
	}
	root, err := openRoot(spec.Root)
	if err != nil {
		return req, err
	}
	defer root.close()
	if req.known, err = accounts.Read(root.openFile); err != nil {
		return req, err
	}
	id, err := req.known.Identify(p.User, p.Groups)
	if err != nil {
		return req, err
	}
	req.user, req.home = specUser(id), id.Home
	return req, nil
}

// makeWorkDir makes the working directory in the root, below the mounts.
func makeWorkDir(root, dir string) error {
	if dir == "" {
		return nil
	}
	r, err := openRoot(root)
	if err != nil {
		return err
	}
	defer r.close()
	return r.makeDirs(dir)
}

// payload addresses a process to the launcher in the shim.
func (r *Runtime) payload(spec engine.SandboxSpec, exec *specs.Process, args []string, p engine.ProcessSpec) (engine.Launch, error) {
	g, err := r.group(spec.ID)
	if err != nil {
		return engine.Launch{}, err
	}
	rec, err := r.places.readRecord(spec.ID)
	if err != nil {
		return engine.Launch{}, err
	}
	program := r.programOf(rec)
	out := launch.Payload{
		Runtime: program.Path, Hidden: program.Hidden, Root: r.places.runtimeRoot(spec.ID), ID: string(spec.ID), Bundle: bundle(spec.Dir),
		Cwd: p.WorkDir, Cgroup: g.Dirs(), Warm: r.host.groups.Any(),
	}
	if len(args) > 0 {
		out.Word = args[0]
	}
	if exec != nil {
		if out.Process, err = json.Marshal(exec); err != nil {
			return engine.Launch{}, err
		}
	}
	b, err := out.Encode()
	return engine.Launch{Platform: launch.Platform, Payload: b, TTY: p.TTY, Size: p.ConsoleSize}, err
}

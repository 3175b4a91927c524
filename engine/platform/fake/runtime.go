package fake

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/xcengine/xc/engine"
)

// Runtime is the host's isolation. It implements lifecycle.Runtime.
type Runtime struct{ host *Host }

// Runtime returns the host's isolation.
func (h *Host) Runtime() *Runtime { return &Runtime{h} }

// program is a launch's payload.
type program struct {
	Args []string
	Env  []string
}

func notFound(op string, id engine.ContainerID) error {
	return &engine.Error{Op: op, Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: string(id)}
}

// Capabilities says that the fake can do what Docker asks for.
func (r *Runtime) Capabilities() engine.Capabilities {
	r.host.mu.Lock()
	defer r.host.mu.Unlock()
	return engine.Capabilities{
		Jails:  r.host.jails,
		OSType: "linux", Architecture: "x86_64", Pause: true, Propagation: true, MemoryLimit: true, SwapLimit: true, CPUShares: true, CPUQuota: true,
		CPUSet: true, PidsLimit: true, CgroupVersion: "2", CgroupDriver: "cgroupfs", KernelVersion: "0", OperatingSystem: "fake",
		NCPU: 2, MemTotal: 1 << 30, Runtime: "fake",
	}
}

// Check refuses a memory bound that no host can honour, and warns of a kernel memory bound.
func (r *Runtime) Check(_ context.Context, spec engine.SandboxSpec) ([]string, error) {
	if spec.Spec.Resources.KernelMemory != 0 {
		return []string{"kernel memory is not limited on this platform"}, nil
	}
	if m := spec.Spec.Resources.Memory; m > 1<<40 {
		return nil, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: errors.New("more memory than there is")}
	}
	return nil, nil
}

// CreateSandbox makes a sandbox.
func (r *Runtime) CreateSandbox(_ context.Context, spec engine.SandboxSpec) (engine.Sandbox, error) {
	if err := r.host.enter("CreateSandbox", spec.ID); err != nil {
		return engine.Sandbox{}, err
	}
	defer r.host.mu.Unlock()
	r.host.boxes[spec.ID] = &box{spec: spec}
	return engine.Sandbox{NetNS: "fake/" + spec.ID.Short()}, nil
}

// Launch prepares main.
func (r *Runtime) Launch(_ context.Context, spec engine.SandboxSpec, _ engine.Sandbox) (engine.Launch, error) {
	if err := r.host.enter("Launch", spec.ID); err != nil {
		return engine.Launch{}, err
	}
	r.host.mu.Unlock()
	return launch(spec.Args, spec.Spec.Process.Env)
}

// LaunchExec prepares an exec.
func (r *Runtime) LaunchExec(_ context.Context, spec engine.SandboxSpec, _ engine.Sandbox, _ engine.ExecID, exec engine.ExecSpec) (engine.Launch, error) {
	if err := r.host.enter("LaunchExec", spec.ID); err != nil {
		return engine.Launch{}, err
	}
	r.host.mu.Unlock()
	return launch(exec.Process.Cmd, exec.Process.Env)
}

func launch(args, env []string) (engine.Launch, error) {
	payload, err := json.Marshal(program{args, env})
	return engine.Launch{Platform: "fake", Payload: payload}, err
}

// Ended tells whether OOM was called.
func (r *Runtime) Ended(_ context.Context, id engine.ContainerID) (engine.ExitInfo, error) {
	if err := r.host.enter("Ended", id); err != nil {
		return engine.ExitInfo{}, err
	}
	defer r.host.mu.Unlock()
	if b := r.host.boxes[id]; b != nil {
		return engine.ExitInfo{OOMKilled: b.oom}, nil
	}
	return engine.ExitInfo{}, nil
}

// WatchOOM calls tell when OOM is called.
func (r *Runtime) WatchOOM(id engine.ContainerID, tell func()) (stop func(), err error) {
	if err := r.host.enter("WatchOOM", id); err != nil {
		return nil, err
	}
	defer r.host.mu.Unlock()
	b := r.host.boxes[id]
	if b == nil {
		return nil, notFound("watch", id)
	}
	b.tell = tell
	return func() {
		r.host.mu.Lock()
		defer r.host.mu.Unlock()
		b.tell = nil
	}, nil
}

// RemoveSandbox ends what runs and forgets the sandbox.
func (r *Runtime) RemoveSandbox(_ context.Context, id engine.ContainerID, dir string) error {
	if err := r.host.enter("RemoveSandbox", id); err != nil {
		return err
	}
	delete(r.host.boxes, id)
	s := r.host.shims[dir]
	r.host.mu.Unlock()
	if s != nil {
		s.signal("", "KILL")
	}
	return nil
}

// FindSandbox finds a sandbox of an earlier daemon.
func (r *Runtime) FindSandbox(_ context.Context, id engine.ContainerID, _ string) (engine.Sandbox, error) {
	if err := r.host.enter("FindSandbox", id); err != nil {
		return engine.Sandbox{}, err
	}
	defer r.host.mu.Unlock()
	if r.host.boxes[id] == nil {
		return engine.Sandbox{}, notFound("find sandbox", id)
	}
	return engine.Sandbox{NetNS: "fake/" + id.Short()}, nil
}

// Sandboxes lists them.
func (r *Runtime) Sandboxes(context.Context) ([]engine.ContainerID, error) {
	if err := r.host.enter("Sandboxes", ""); err != nil {
		return nil, err
	}
	defer r.host.mu.Unlock()
	var ids []engine.ContainerID
	for id := range r.host.boxes {
		ids = append(ids, id)
	}
	return ids, nil
}

// Pause freezes a sandbox.
func (r *Runtime) Pause(_ context.Context, id engine.ContainerID) error {
	return r.freeze("Pause", id, true)
}

// Resume thaws it.
func (r *Runtime) Resume(_ context.Context, id engine.ContainerID) error {
	return r.freeze("Resume", id, false)
}

func (r *Runtime) freeze(call string, id engine.ContainerID, frozen bool) error {
	if err := r.host.enter(call, id); err != nil {
		return err
	}
	defer r.host.mu.Unlock()
	b := r.host.boxes[id]
	if b == nil {
		return notFound(call, id)
	}
	b.frozen = frozen
	return nil
}

// Update records the new limits.
func (r *Runtime) Update(_ context.Context, id engine.ContainerID, res engine.Resources) error {
	if err := r.host.enter("Update", id); err != nil {
		return err
	}
	defer r.host.mu.Unlock()
	b := r.host.boxes[id]
	if b == nil {
		return notFound("update", id)
	}
	b.spec.Spec.Resources = res
	return nil
}

// Stats gives one process and the memory limit.
func (r *Runtime) Stats(_ context.Context, id engine.ContainerID, _ engine.Sandbox, _ int) (engine.Stats, error) {
	if err := r.host.enter("Stats", id); err != nil {
		return engine.Stats{}, err
	}
	defer r.host.mu.Unlock()
	b := r.host.boxes[id]
	if b == nil {
		return engine.Stats{}, notFound("stats", id)
	}
	return engine.Stats{
		Read: time.Now(), CPU: engine.CPUStats{Total: 1, Online: 2}, Pids: engine.PidsStats{Current: 1},
		Memory: engine.MemoryStats{Usage: 4096, Limit: uint64(b.spec.Spec.Resources.Memory)},
	}, nil
}

// Processes lists main.
func (r *Runtime) Processes(_ context.Context, id engine.ContainerID, _ engine.Sandbox, _ []string) (engine.ProcessTable, error) {
	if err := r.host.enter("Processes", id); err != nil {
		return engine.ProcessTable{}, err
	}
	defer r.host.mu.Unlock()
	b := r.host.boxes[id]
	if b == nil {
		return engine.ProcessTable{}, notFound("top", id)
	}
	return engine.ProcessTable{Titles: []string{"PID", "CMD"}, Rows: [][]string{{"1", b.spec.Args[0]}}}, nil
}

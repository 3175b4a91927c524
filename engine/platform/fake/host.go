package fake

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/xcengine/xc/engine"
)

// Host is a machine: its sandboxes, shims and mounted roots. Its zero value is not ready; use NewHost.
type Host struct {
	mu    sync.Mutex
	boxes map[engine.ContainerID]*box
	shims map[string]*Shim // by directory
	exits map[string]engine.ExitStatus
	roots map[engine.ContainerID]*root
	pids  int
	jails bool
	// Fail, when set, is asked before each call of a driver; what it returns is the call's error.
	fail func(call string, id engine.ContainerID) error
}

type box struct {
	spec   engine.SandboxSpec
	frozen bool
	oom    bool
	tell   func() // who watches for a lack of memory
}

type root struct {
	top     engine.LayerID
	mounted bool
	files   []string // that were filled in
}

// NewHost returns a machine on which nothing runs.
func NewHost() *Host {
	return &Host{
		boxes: map[engine.ContainerID]*box{}, shims: map[string]*Shim{}, exits: map[string]engine.ExitStatus{},
		roots: map[engine.ContainerID]*root{}, pids: 100,
	}
}

// FailOn makes driver calls fail: f is asked before each with its name ("CreateSandbox") and the container.
func (h *Host) FailOn(f func(call string, id engine.ContainerID) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail = f
}

// Jail makes the host isolate with jails, as far as a fake can: keys and images that ask for them are taken.
func (h *Host) Jail() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.jails = true
}

// Spec is what a container's sandbox was made of.
func (h *Host) Spec(id engine.ContainerID) engine.SandboxSpec {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := h.boxes[id]; b != nil {
		return b.spec
	}
	return engine.SandboxSpec{}
}

// enter locks the host for a call. The caller unlocks, unless there is an error.
func (h *Host) enter(call string, id engine.ContainerID) error {
	h.mu.Lock()
	if fail := h.fail; fail != nil {
		h.mu.Unlock() // it may wait
		if err := fail(call, id); err != nil {
			return fmt.Errorf("%s: %w", call, err)
		}
		h.mu.Lock()
	}
	return nil
}

// Leftovers lists what exists on the host: sandboxes, shims, exit records, mounted roots, roots. Tests compare it.
func (h *Host) Leftovers() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for id := range h.boxes {
		all = append(all, "sandbox "+id.Short())
	}
	for dir := range maps.Keys(h.shims) {
		all = append(all, "shim "+dir)
	}
	for id, r := range h.roots {
		all = append(all, "root "+id.Short())
		if r.mounted {
			all = append(all, "mount "+id.Short())
		}
	}
	slices.Sort(all)
	return all
}

// Kill ends a container's main process as if by SIGKILL from outside, with no daemon involved.
func (h *Host) Kill(id engine.ContainerID) {
	h.mu.Lock()
	var found *Shim
	for _, s := range h.shims {
		if s.id == id {
			found = s
		}
	}
	h.mu.Unlock()
	if found != nil {
		found.signal("", "KILL")
	}
}

// OOM takes the memory of a container away: who watches is told, and its next end says so.
func (h *Host) OOM(id engine.ContainerID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.boxes[id]
	if b == nil {
		return
	}
	if b.oom = true; b.tell != nil {
		b.tell()
	}
}

// Shutdown ends everything that runs on the host.
func (h *Host) Shutdown() {
	h.mu.Lock()
	shims := slices.Collect(maps.Values(h.shims))
	h.mu.Unlock()
	for _, s := range shims {
		s.mu.Lock()
		processes := slices.Collect(maps.Values(s.execs))
		if s.main != nil {
			processes = append(processes, s.main)
		}
		s.mu.Unlock()
		for _, p := range processes {
			_ = p.signal("KILL") // one that has ended needs none
		}
		s.leave()
	}
}

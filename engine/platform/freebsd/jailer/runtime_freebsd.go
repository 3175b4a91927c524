package jailer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/platform/freebsd/devfs"
	"github.com/xcengine/xc/engine/platform/freebsd/jail"
	"github.com/xcengine/xc/engine/platform/freebsd/linuxulator"
	"github.com/xcengine/xc/engine/platform/freebsd/rctl"
	"github.com/xcengine/xc/engine/platform/freebsd/sysctl"
)

// Config is what a Runtime needs.
type Config struct {
	StateDir string // the daemon's
	// DevfsFirst is the first number of our devfs rulesets; DevfsForce, unless 0, the one that every jail gets instead.
	DevfsFirst, DevfsForce int
	Run                    runner.Runner
	Log                    *slog.Logger
}

// Runtime implements lifecycle.Runtime. Its methods are safe for concurrent use.
type Runtime struct {
	cfg    Config
	places places
	rules  *devfs.Store
	about  engine.Capabilities
	racct  bool
	log    *slog.Logger
	meters meters

	// nesting guards the moments in which a jail may have one child more, or is left to its children.
	nesting sync.Mutex
}

// New opens the runtime. Nothing is made in the kernel.
func New(cfg Config) (*Runtime, error) {
	if os.Geteuid() != 0 {
		return nil, &engine.Error{Op: "open runtime", Kind: engine.Unavailable, Err: errors.New("jails need root")}
	}
	if cfg.DevfsFirst == 0 {
		cfg.DevfsFirst = 1000
	}
	// The kernel names mounts by their real paths.
	state, err := filepath.EvalSymlinks(cfg.StateDir)
	if err != nil {
		return nil, &engine.Error{Op: "open runtime", Err: err}
	}
	r := &Runtime{cfg: cfg, places: places{state}, log: cfg.Log}
	if err := os.MkdirAll(r.places.sandboxes(), 0o711); err != nil {
		return nil, &engine.Error{Op: "open runtime", Err: err}
	}
	r.rules = &devfs.Store{Path: filepath.Join(cfg.StateDir, "devfs.json"), First: cfg.DevfsFirst, Force: cfg.DevfsForce, Run: cfg.Run, Sets: devfs.Sets}
	r.racct = sysctlNumber("kern.racct.enable") != 0
	if r.about, err = describe(r.racct); err != nil {
		return nil, &engine.Error{Op: "open runtime", Err: err}
	}
	return r, nil
}

// sysctlNumber is 0 for what this kernel does not have.
func sysctlNumber(name string) int {
	b, err := unix.SysctlRaw(name)
	if err != nil || len(b) == 0 || len(b) > 4 {
		return 0
	}
	if len(b) < 4 {
		return int(b[0])
	}
	return int(int32(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24))
}

func describe(racct bool) (engine.Capabilities, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return engine.Capabilities{}, os.NewSyscallError("uname", err)
	}
	memory, err := unix.SysctlUint64("hw.physmem")
	if err != nil {
		return engine.Capabilities{}, fmt.Errorf("hw.physmem: %w", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	number, _, _ := strings.Cut(release, "-")
	c := engine.Capabilities{
		Jails: true, OSType: "freebsd", Architecture: unix.ByteSliceToString(u.Machine[:]), MemoryLimit: racct, CPUQuota: racct, PidsLimit: racct,
		CPUSet: true, KernelVersion: release, OperatingSystem: "FreeBSD " + release, OSVersion: number,
		NCPU: runtime.NumCPU(), MemTotal: int64(memory), Runtime: "jail", RuntimePath: "jail(2)",
	}
	if !racct {
		c.Warnings = append(c.Warnings, "WARNING: No limits of memory, processors and processes (put kern.racct.enable=1 in /boot/loader.conf and restart the host)")
	}
	return c, nil
}

// host reads what may change while the daemon runs: modules come and go.
func (r *Runtime) host() host {
	h := host{
		arch: runtime.GOARCH, release: r.about.KernelVersion, processors: r.about.NCPU, racct: r.racct, knows: jail.Knows, sysctl: sysctl.Find,
		secureLevel: sysctlNumber("kern.securelevel"), dataset: r.properties,
		noNewPrivs: canNotGain(), linux: linuxulator.State{Modules: map[string]bool{}, Fallback: sysctlNumber("kern.elf64.fallback_brand")},
	}
	for _, m := range linuxulator.Modules {
		h.linux.Modules[m] = loaded(m)
	}
	return h
}

// procNoNewPrivsStatus is of sys/procctl.h.
const procNoNewPrivsStatus = 20

func canNotGain() bool {
	var status int32
	return procctl(procNoNewPrivsStatus, &status) == nil
}

// Capabilities implements lifecycle.Runtime.
func (r *Runtime) Capabilities() engine.Capabilities { return r.about }

// Check implements lifecycle.Runtime.
func (r *Runtime) Check(_ context.Context, spec engine.SandboxSpec) ([]string, error) {
	return check(spec, r.host())
}

func failed(op string, id engine.ContainerID, err error) error {
	if err == nil {
		return nil
	}
	return &engine.Error{Op: op, Kind: engine.KindOf(err), Resource: engine.ResourceContainer, ID: string(id), Err: err}
}

// find returns the record and the jail of a sandbox, NotFound unless both are there.
func (r *Runtime) find(op string, id engine.ContainerID) (record, jail.Info, error) {
	rec, err := r.places.readRecord(id)
	if errors.Is(err, fs.ErrNotExist) {
		return rec, jail.Info{}, &engine.Error{Op: op, Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: string(id)}
	}
	if err != nil {
		return rec, jail.Info{}, failed(op, id, err)
	}
	info, err := findJail(rec)
	return rec, info, failed(op, id, err)
}

// findJail finds a sandbox's jail by whatever it is called now.
func findJail(rec record) (info jail.Info, err error) {
	for _, name := range rec.names() {
		if info, err = jail.Find(name); err == nil || engine.KindOf(err) != engine.NotFound {
			break
		}
	}
	return info, err
}

// running is find for what makes no sense without a jail.
func (r *Runtime) running(op string, id engine.ContainerID) (record, jail.Info, error) {
	rec, info, err := r.find(op, id)
	if engine.KindOf(err) == engine.NotFound && err != nil {
		err = &engine.Error{Op: op, Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: string(id), Reason: engine.ReasonNotRunning, Args: []string{string(id)}}
	}
	return rec, info, err
}

// FindSandbox implements lifecycle.Runtime.
func (r *Runtime) FindSandbox(_ context.Context, id engine.ContainerID, _ string) (engine.Sandbox, error) {
	_, info, err := r.find("find sandbox", id)
	if err != nil {
		return engine.Sandbox{}, err
	}
	return engine.Sandbox{Jail: info.Name, JID: info.JID, VNET: info.VNET}, nil
}

// Sandboxes implements lifecycle.Runtime.
func (r *Runtime) Sandboxes(context.Context) ([]engine.ContainerID, error) { return r.places.list() }

// Ended implements lifecycle.Runtime.
func (r *Runtime) Ended(_ context.Context, id engine.ContainerID) (engine.ExitInfo, error) {
	rec, err := r.places.readRecord(id)
	if err != nil {
		return engine.ExitInfo{}, failed("inspect", id, err)
	}
	rules, err := rctl.Get(rec.Jail)
	if err != nil || rctl.Bound(rules, "memoryuse", "sigkill") == 0 {
		return engine.ExitInfo{}, failed("inspect", id, err)
	}
	messages, err := oomMessages(rec.Jail)
	if err != nil {
		return engine.ExitInfo{}, failed("inspect", id, err)
	}
	return engine.ExitInfo{OOMKilled: beyond(messages, rec.OOM)}, nil
}

// oomMessages are what the kernel's message buffer holds about a jail's memory.
func oomMessages(name string) ([]string, error) {
	b, err := unix.SysctlRaw("kern.msgbuf")
	if err != nil {
		return nil, fmt.Errorf("kern.msgbuf: %w", err)
	}
	return rctl.Messages(string(b), name), nil
}

func unsupported(op string, id engine.ContainerID) error {
	return &engine.Error{
		Op: op, Kind: engine.NotImplemented, Resource: engine.ResourceContainer, ID: string(id), Reason: engine.ReasonUnsupported,
		Args: []string{"pausing a container", "FreeBSD cannot stop a jail's processes so that nobody notices"},
	}
}

// Pause implements lifecycle.Runtime: it refuses.
func (r *Runtime) Pause(_ context.Context, id engine.ContainerID) error {
	return unsupported("pause", id)
}

// Resume implements lifecycle.Runtime: it refuses.
func (r *Runtime) Resume(_ context.Context, id engine.ContainerID) error {
	return unsupported("unpause", id)
}

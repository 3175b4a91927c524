package jailer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/platform/freebsd/ifconfig"
	"github.com/xcengine/xc/engine/platform/freebsd/rctl"
)

// Update implements lifecycle.Runtime.
func (r *Runtime) Update(_ context.Context, id engine.ContainerID, res engine.Resources) error {
	rec, info, err := r.running("update", id)
	if err != nil {
		return err
	}
	var f findings
	f.resources(res, r.host())
	if len(f.errs) > 0 {
		return &engine.Error{Op: "update", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: string(id), Err: errors.Join(f.errs...)}
	}
	set, err := processors(res.CPUSetCPUs, r.about.NCPU)
	if err != nil {
		return failed("update", id, err)
	}
	if r.racct {
		err = rctl.Set(rec.Jail, rctl.Rules(rec.Jail, res))
	}
	return failed("update", id, errors.Join(err, pin(info.JID, set)))
}

// Stats implements lifecycle.Runtime.
func (r *Runtime) Stats(_ context.Context, id engine.ContainerID, box engine.Sandbox, _ int) (engine.Stats, error) {
	rec, info, err := r.running("stats", id)
	if err != nil {
		return engine.Stats{}, err
	}
	jids, err := nested(info)
	if err != nil {
		return engine.Stats{}, failed("stats", id, err)
	}
	list, err := procs(jids...)
	if err != nil {
		return engine.Stats{}, failed("stats", id, err)
	}
	s := engine.Stats{CPU: engine.CPUStats{Online: r.about.NCPU}, Memory: engine.MemoryStats{Limit: uint64(r.about.MemTotal)}}
	for _, p := range list {
		s.CPU.Total += uint64(p.used)
		s.Memory.Usage += p.pages * uint64(os.Getpagesize())
		if !p.zombie {
			s.Pids.Current++
		}
	}
	if r.racct {
		counted, err := account(&s, rec.Jail)
		if err != nil {
			return s, failed("stats", id, err)
		}
		s.CPU.Total = uint64(r.meters.of(id).read(time.Duration(s.CPU.Total), counted))
	}
	s.CPU.User = s.CPU.Total
	if s.CPU.System, err = systemTime(); err != nil {
		return s, failed("stats", id, err)
	}
	if box.VNET {
		if s.Networks, err = ifconfig.Counters(id.Short()); err != nil {
			return s, failed("stats", id, err)
		}
	}
	s.Read = time.Now()
	return s, nil
}

// account adds what the kernel keeps of a jail, and gives the processor time that it counts.
func account(s *engine.Stats, name string) (time.Duration, error) {
	use, err := rctl.Use(name)
	if err != nil {
		return 0, err
	}
	rules, err := rctl.Get(name)
	if err != nil {
		return 0, err
	}
	s.Pids.Limit = rctl.Bound(rules, "maxproc", "deny")
	s.Memory.Detail = map[string]uint64{"rss": s.Memory.Usage, "swap": use.Swap}
	if limit := rctl.Bound(rules, "memoryuse", "sigkill"); limit > 0 && limit < s.Memory.Limit {
		s.Memory.Limit = limit
	}
	// What is just being taken is not yet killed for.
	s.Memory.Usage = min(s.Memory.Usage, s.Memory.Limit)
	return time.Duration(use.CPUTime) * time.Second, nil
}

// systemTime is the time in nanoseconds of all processors together, whatever they did.
func systemTime() (uint64, error) {
	times, err := unix.SysctlRaw("kern.cp_time")
	if err != nil {
		return 0, fmt.Errorf("kern.cp_time: %w", err)
	}
	clock, err := unix.SysctlRaw("kern.clockrate")
	if err != nil || len(clock) < 20 {
		return 0, fmt.Errorf("kern.clockrate: %w", err)
	}
	rate := uint64(binary.NativeEndian.Uint32(clock[12:])) // struct clockinfo: hz, tick, spare, stathz, profhz
	if rate == 0 {
		return 0, errors.New("kern.clockrate: no rate")
	}
	var ticks uint64
	for ; len(times) >= 8; times = times[8:] {
		ticks += binary.NativeEndian.Uint64(times)
	}
	return ticks * (uint64(time.Second) / rate), nil
}

// Processes implements lifecycle.Runtime: ps(1) of the host, for the jail alone.
func (r *Runtime) Processes(ctx context.Context, id engine.ContainerID, _ engine.Sandbox, given []string) (engine.ProcessTable, error) {
	args, err := psArgs(given)
	if err != nil {
		return engine.ProcessTable{}, err
	}
	_, info, err := r.running("top", id)
	if err != nil {
		return engine.ProcessTable{}, err
	}
	argv := append([]string{"/bin/ps"}, args...)
	res, err := r.cfg.Run.Run(ctx, runner.Cmd{Argv: append(argv, "-J", fmt.Sprint(info.JID))})
	if said := psComplaint(res.Stderr); err != nil && said != "" {
		return engine.ProcessTable{}, &engine.Error{Op: "top", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: string(id), Err: errors.New(said)}
	}
	if err != nil {
		return engine.ProcessTable{}, failed("top", id, err)
	}
	t, err := parsePs(res.Stdout)
	return t, failed("top", id, err)
}

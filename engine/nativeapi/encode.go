package nativeapi

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// container gives a container's wire form, with its jail.
func (s *Server) container(c engine.Container) wire.Container {
	w := container(c)
	if box := s.cfg.Containers.Sandbox(c.ID); box.Jail != "" {
		w.Jail = &wire.Jail{Name: box.Jail, JID: box.JID, VNET: box.VNET}
	}
	return w
}

func container(c engine.Container) wire.Container {
	p, s := c.Spec.Process, c.Status
	w := wire.Container{
		ID: string(c.ID), Name: c.Name, Created: c.Created, Image: c.Spec.ImageRef, ImageID: string(c.Image), Platform: c.Platform.String(),
		State: string(s.State), Pid: s.Pid, ExitCode: s.ExitCode, OOMKilled: s.OOMKilled, Error: s.Error,
		Started: moment(s.Started), Finished: moment(s.Finished), Restarts: s.Restarts,
		Process:  wire.Process{Args: p.Args(), Env: p.Env, WorkDir: p.WorkDir, User: p.User, TTY: p.TTY, Stdin: c.Spec.OpenStdin},
		Hostname: c.Spec.Hostname, NetworkMode: string(c.Spec.Network.Mode), Networks: endpoints(c.Endpoints), Ports: ports(c.Ports),
		Mounts: mounts(c.Mounts), Labels: c.Spec.Labels, Annotations: c.Spec.Annotations,
		Restart:    wire.Restart{Policy: string(c.Spec.Restart.Name), Max: c.Spec.Restart.MaxRetries},
		AutoRemove: c.Spec.AutoRemove, StopSignal: c.Spec.StopSignal, StopTimeout: c.Spec.StopTimeout,
		Log: wire.Log{Driver: c.Spec.Log.Driver, Options: c.Spec.Log.Options}, Driver: c.Driver, Storage: c.Storage,
	}
	if s.Health != nil {
		w.Health = string(s.Health.Status)
	}
	return w
}

// moment gives a time that has come; nil when it has not.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func endpoints(all map[string]engine.Endpoint) []wire.Endpoint {
	out := []wire.Endpoint{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e := all[name]
		out = append(out, wire.Endpoint{
			Network: name, Interface: e.Interface, MAC: e.MAC, IPv4: text(e.IPv4), IPv6: text(e.IPv6),
			Gateway4: text(e.Gateway4), Gateway6: text(e.Gateway6), Aliases: e.Spec.Aliases, Names: e.DNSNames,
		})
	}
	return out
}

// text renders an address or prefix; an invalid one is "".
func text[T interface {
	fmt.Stringer
	IsValid() bool
}](v T) string {
	if !v.IsValid() {
		return ""
	}
	return v.String()
}

func ports(all []engine.PublishedPort) []wire.Port {
	out := []wire.Port{}
	for _, p := range all {
		out = append(out, wire.Port{HostIP: text(p.HostIP), HostPort: p.HostPort, Port: p.Port.Number, Proto: string(p.Port.Proto)})
	}
	return out
}

func mounts(all []engine.MountPoint) []wire.Mount {
	out := []wire.Mount{}
	for _, m := range all {
		out = append(out, wire.Mount{Kind: string(m.Kind), Name: m.Name, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	return out
}

func rootSize(s *engine.RootSize) *wire.RootSize {
	if s == nil {
		return nil
	}
	return &wire.RootSize{Writable: s.Writable, Total: s.Total}
}

func stats(c engine.Container, s engine.Stats) wire.Stats {
	w := wire.Stats{
		ID: string(c.ID), Name: c.Name, Read: s.Read, CPU: s.CPU.Total, System: s.CPU.System, CPUs: s.CPU.Online,
		Memory: s.Memory.Usage, MemLimit: s.Memory.Limit, Pids: s.Pids.Current,
	}
	for _, i := range s.Networks {
		w.RxBytes += i.RxBytes
		w.TxBytes += i.TxBytes
	}
	for _, b := range s.Blkio {
		switch b.Op {
		case "read":
			w.BlockIn += b.Bytes
		case "write":
			w.BlockOut += b.Bytes
		}
	}
	return w
}

package nativeapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func (s *Server) createContainer(ctx context.Context, c *call) error {
	var body wire.ContainerCreate
	if err := c.read(&body); err != nil {
		return err
	}
	opened, err := c.opened(body.Opened)
	if err != nil {
		return err
	}
	if err := s.mayCreate(ctx, c.peer, &body, opened); err != nil {
		return err
	}
	if err := s.entryPoint(ctx, &body); err != nil {
		return err
	}
	req, err := createRequest(body)
	req.Opened = opened
	if err == nil {
		err = s.checkPrefixes(ctx, body.Network.Networks)
	}
	if err != nil {
		return &engine.Error{Op: "create", Kind: kindOr(err, engine.Invalid), Resource: engine.ResourceContainer, ID: body.Name, Err: err}
	}
	made, err := s.cfg.Containers.Create(ctx, req)
	if err != nil {
		return err
	}
	return c.answer(wire.Created{ID: string(made.ID), Warnings: made.Warnings})
}

// entryPoint finds out whether the word for what is run names one of the image's entry points; else it is a program.
func (s *Server) entryPoint(ctx context.Context, b *wire.ContainerCreate) error {
	if b.EntryPoint == "" {
		return nil
	}
	w := &wish{}
	img, err := s.cfg.Images.Lookup(ctx, b.Image, w.platform(b.Platform))
	if err != nil {
		return err
	}
	if img.Jail == nil {
		return nil
	}
	if _, there := img.Jail.EntryPoints[b.EntryPoint]; there {
		b.Labels = maps.Clone(b.Labels)
		if b.Labels == nil {
			b.Labels = map[string]string{}
		}
		b.Labels[engine.LabelEntryPoint], b.EntryPoint = b.EntryPoint, ""
	}
	return nil
}

// kindOr is an error's own kind, if it states one.
func kindOr(err error, other engine.Kind) engine.Kind {
	if k := engine.KindOf(err); k != engine.Internal {
		return k
	}
	return other
}

// createRequest collects every mistake of a wish.
func createRequest(b wire.ContainerCreate) (engine.CreateRequest, error) {
	w := &wish{}
	req := engine.CreateRequest{Name: b.Name, Platform: w.platform(b.Platform), Spec: engine.Spec{
		ImageRef: b.Image, Process: w.process(b), Hostname: b.Hostname, Labels: b.Labels, Annotations: b.Annotations,
		StopSignal: b.StopSignal, StopTimeout: b.StopTimeout, OpenStdin: b.Stdin, StdinOnce: b.Once,
		AttachStdin: b.Stdin, AttachStdout: true, AttachStderr: !b.TTY,
		Mounts: w.mounts(b.Mounts), Tmpfs: w.tmpfs(b.Tmpfs), ReadonlyRoot: b.ReadOnly, Resources: w.resources(b.Limits),
		Security: engine.Security{Privileged: b.Privileged, CapAdd: b.CapAdd, CapDrop: b.CapDrop},
		Restart:  w.restart(b.Restart), AutoRemove: b.AutoRemove, Init: b.Init, TreeExit: b.TreeExit,
		Log: engine.LogSpec{Driver: b.Log.Driver, Options: b.Log.Options},
	}}
	if b.Image == "" {
		w.failf("the image is missing")
	}
	w.noNUL("command", append(slices.Clone(b.Args), append(b.Entrypoint, b.EntryPoint, b.WorkDir, b.User, b.Hostname)...)...)
	w.noNUL("environment", b.Env...)
	req.Spec.Network = w.network(b)
	req.Endpoints = w.endpoints(b.Network.Networks)
	return req, errors.Join(w.errs...)
}

// wish reads a request and notes what is wrong with it.
type wish struct{ errs []error }

// failf notes a mistake, once: what is wrong for tcp is for udp too.
func (w *wish) failf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if !slices.ContainsFunc(w.errs, func(have error) bool { return have.Error() == err.Error() }) {
		w.errs = append(w.errs, err)
	}
}

// noNUL refuses what no system call takes.
func (w *wish) noNUL(what string, texts ...string) {
	if slices.ContainsFunc(texts, func(s string) bool { return strings.ContainsRune(s, 0) }) {
		w.failf("%s: there is a NUL character in it", what)
	}
}

// platform reads OS/ARCH[/VARIANT].
func (w *wish) platform(s string) *engine.Platform {
	if s == "" {
		return nil
	}
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		w.failf("platform %s: must be OS/ARCHITECTURE, as in freebsd/amd64", s)
		return nil
	}
	p := &engine.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p
}

func (w *wish) process(b wire.ContainerCreate) engine.ProcessSpec {
	p := engine.ProcessSpec{Entrypoint: b.Entrypoint, Cmd: b.Args, Env: b.Env, WorkDir: b.WorkDir, User: b.User, Groups: b.Groups, TTY: b.TTY}
	if b.Size != nil {
		p.ConsoleSize = [2]uint16{b.Size.Rows, b.Size.Cols}
	}
	if b.EntryPoint != "" {
		if b.Entrypoint != nil {
			w.failf("entry_point and entrypoint exclude each other")
		}
		p.Entrypoint, p.Cmd = []string{""}, append([]string{b.EntryPoint}, b.Args...) // the image's own is cleared so
	}
	for _, e := range b.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			w.failf("environment %q: must be NAME=VALUE", e)
		}
	}
	if b.WorkDir != "" && !path.IsAbs(b.WorkDir) {
		w.failf("working directory %s: must be an absolute path", b.WorkDir)
	}
	return p
}

func (w *wish) mounts(all []wire.MountWish) (out []engine.MountSpec) {
	for _, m := range all {
		e := engine.MountSpec{Kind: engine.MountVolume, Origin: engine.OriginMounts, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly}
		if path.IsAbs(m.Source) {
			e.Kind, e.Source = engine.MountBind, path.Clean(m.Source)
		}
		if path.IsAbs(m.Target) {
			e.Target = path.Clean(m.Target)
		}
		switch {
		case m.Target == "" || e.Target == "/":
			w.failf("mount of %s: %q cannot be mounted upon", m.Source, m.Target)
		case strings.ContainsRune(m.Source+m.Target, 0):
			w.failf("mount of %q: there is a NUL character in it", m.Source)
		}
		out = append(out, e)
	}
	return out
}

func (w *wish) tmpfs(all []wire.Tmpfs) map[string]string {
	if len(all) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, t := range all {
		if !path.IsAbs(t.Target) || path.Clean(t.Target) == "/" {
			w.failf("tmpfs %s: must be an absolute path below the root", t.Target)
		}
		out[t.Target] = t.Options
	}
	return out
}

func (w *wish) resources(l wire.Limits) engine.Resources {
	r := engine.Resources{Memory: l.Memory, NanoCPUs: int64(l.CPUs * 1e9), ShmSize: l.ShmSize}
	if l.Memory < 0 || l.CPUs < 0 || l.ShmSize < 0 {
		w.failf("a limit is negative")
	}
	if l.Memory > 0 {
		r.MemorySwap = 2 * l.Memory // as Docker has it
	}
	if l.Pids != 0 {
		r.PidsLimit = &l.Pids
	}
	for _, u := range l.Ulimits {
		r.Ulimits = append(r.Ulimits, engine.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	return r
}

func (w *wish) restart(r wire.Restart) engine.RestartPolicy {
	p := engine.RestartPolicy{Name: engine.RestartMode(r.Policy), MaxRetries: r.Max}
	switch p.Name {
	case "":
		p.Name = engine.RestartNo
	case engine.RestartNo, engine.RestartAlways, engine.RestartOnFailure, engine.RestartUnlessStopped:
	default:
		w.failf("restart policy %s: must be no, always, on-failure or unless-stopped", r.Policy)
	}
	if r.Max < 0 || r.Max > 0 && p.Name != engine.RestartOnFailure {
		w.failf("restart policy %s: a bound of retries goes with on-failure alone", r.Policy)
	}
	return p
}

// network reads the network without its endpoints.
func (w *wish) network(b wire.ContainerCreate) engine.NetworkSpec {
	wanted := b.Network
	n := engine.NetworkSpec{
		Mode: engine.NetworkMode(wanted.Mode), PublishAll: b.PublishAll, DNSSearch: wanted.DNSSearch, DNSOptions: wanted.DNSOptions,
		ExtraHosts: wanted.ExtraHosts, Bindings: w.bindings(b.Publish, false),
	}
	if len(wanted.Networks) > 0 {
		if wanted.Mode != "" {
			w.failf("network %s and networks exclude each other", wanted.Mode)
		}
		n.Mode = engine.NetworkMode(wanted.Networks[0].Network)
	}
	for _, s := range wanted.DNS {
		n.DNS = append(n.DNS, w.addr("name server", s))
	}
	for _, e := range wanted.ExtraHosts {
		name, addr, ok := strings.Cut(e, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t\n") {
			w.failf("host %s: must be NAME:ADDRESS", e)
		} else if addr != "host-gateway" {
			w.addr("host "+name, strings.Trim(addr, "[]"))
		}
	}
	return n
}

func (w *wish) addr(what, s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil {
		w.failf("%s: %s is not an address", what, s)
	}
	return a
}

func (w *wish) endpoints(joins []wire.NetworkJoin) map[string]engine.EndpointSpec {
	if len(joins) == 0 {
		return nil
	}
	out := map[string]engine.EndpointSpec{}
	for _, j := range joins {
		if _, twice := out[j.Network]; twice {
			w.failf("network %s is named twice", j.Network)
		}
		out[j.Network] = engine.EndpointSpec{Aliases: j.Aliases, IPv4: w.wanted(j.Network, j.IPv4, 32), IPv6: w.wanted(j.Network, j.IPv6, 128)}
	}
	return out
}

// wanted reads an address, maybe with the length of its network's prefix, of the IP version that has so many bits.
func (w *wish) wanted(network, s string, bits int) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	text, _, _ := strings.Cut(s, "/")
	a := w.addr("network "+network, text)
	if a.IsValid() && a.BitLen() != bits {
		w.failf("network %s: %s is not an address of IPv%d", network, s, map[int]int{32: 4, 128: 6}[bits])
	}
	return a
}

// checkPrefixes refuses an address with a prefix of another length than its network's.
func (s *Server) checkPrefixes(ctx context.Context, joins []wire.NetworkJoin) error {
	for _, j := range joins {
		for _, text := range []string{j.IPv4, j.IPv6} {
			p, err := netip.ParsePrefix(text)
			if err != nil {
				continue
			}
			n, err := s.cfg.Networks.Inspect(ctx, j.Network)
			if err != nil {
				return err
			}
			for _, pool := range append(slices.Clone(n.Pools4), n.Pools6...) {
				if pool.Subnet.Contains(p.Addr()) && pool.Subnet.Bits() != p.Bits() {
					return fmt.Errorf("network %s: %s is in %s, whose prefix has another length", j.Network, text, pool.Subnet)
				}
			}
		}
	}
	return nil
}

// bindings reads ports to be published. An interface stands for the addresses that it has now. In a pattern port and protocol may
// be missing.
func (w *wish) bindings(all []wire.Publish, pattern bool) (out []engine.PortBinding) {
	for _, p := range all {
		b := engine.PortBinding{Port: engine.Port{Number: p.Port, Proto: engine.Proto(p.Proto)}, HostFirst: p.HostPort, HostLast: max(p.HostPort, p.HostLast)}
		switch {
		case pattern && p.Proto == "":
		case p.Port == 0 && !pattern:
			w.failf("a port to be published is missing")
		case !slices.Contains([]engine.Proto{engine.TCP, engine.UDP, engine.SCTP}, b.Port.Proto):
			w.failf("port %d: %s is not tcp, udp or sctp", p.Port, p.Proto)
		}
		if p.Interface == "" {
			if p.HostIP != "" {
				b.HostIP = w.addr("published port", p.HostIP).Unmap()
			}
			out = append(out, b)
			continue
		}
		if p.HostIP != "" {
			w.failf("a published port has an interface or an address, not both")
		}
		for _, a := range w.interfaceAddrs(p.Interface) {
			b.HostIP = a
			out = append(out, b)
		}
	}
	return out
}

// interfaceAddrs lists the addresses of an interface of the host, without link-local ones, on which nothing can be published.
func (w *wish) interfaceAddrs(name string) (all []netip.Addr) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		w.failf("missing network interface %s", name)
		return nil
	}
	addrs, err := i.Addrs()
	if err != nil {
		w.failf("interface %s: %w", name, err)
		return nil
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
			all = append(all, p.Addr().Unmap())
		}
	}
	if len(all) == 0 {
		w.failf("interface %s has no address to publish on", name)
	}
	return all
}

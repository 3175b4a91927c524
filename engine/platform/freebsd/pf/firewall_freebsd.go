package pf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
)

// Config is what a Firewall needs.
type Config struct {
	Owner engine.Owner
	// External are the interfaces that face outwards; none: all that have an address and are not of the engine's.
	External []string
	Run      runner.Runner
}

// Firewall implements networks.Firewall with pfctl(8).
type Firewall struct {
	cfg Config

	mu      sync.Mutex
	applied map[string]string     // what each anchor and table was given
	loads   []load                // all that made this hold
	ports   []engine.FirewallPort // in force
	untold  []string
}

// New returns the packet filter's driver for one daemon. Nothing is changed.
func New(cfg Config) *Firewall { return &Firewall{cfg: cfg, applied: map[string]string{}} }

// Apply implements networks.Firewall. On a host without pf it does nothing: the proxies serve published ports then, and
// Warnings tells.
func (f *Firewall) Apply(ctx context.Context, rules engine.FirewallRules, assert bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !present() {
		return nil
	}
	host, stamp, err := f.host(rules)
	if err != nil {
		return fail(err)
	}
	loads, err := f.render(rules, host)
	if err != nil {
		return &engine.Error{Op: "apply rules", Kind: engine.Invalid, Resource: engine.ResourceNetwork, Err: err}
	}
	if assert {
		clear(f.applied)
	}
	f.loads = nil // while they are not all in force, nothing is missed
	for _, l := range loads {
		text := l.stdin
		if l.table == "" {
			text += stamp // what "self" means is decided when rules are loaded
		}
		if held, ok := f.applied[l.name]; ok && held == text {
			continue
		}
		delete(f.applied, l.name)
		if err := f.put(ctx, l); err != nil {
			return fail(err)
		}
		f.applied[l.name] = text
	}
	gone := ended(f.ports, rules.Ports)
	f.loads, f.ports, f.untold = loads, slices.Clone(rules.Ports), untold(rules.Networks)
	return fail(f.end(ctx, gone))
}

// put makes one thing hold. A table is set by system call, and by pfctl(8) where the kernel does not take that.
func (f *Firewall) put(ctx context.Context, l load) error {
	if l.table != "" && setTable(l.table, l.addrs) == nil {
		return nil
	}
	return f.pfctl(ctx, l.stdin, l.args...)
}

// end ends the flows to targets.
func (f *Firewall) end(ctx context.Context, targets []netip.AddrPort) error {
	if len(targets) == 0 {
		return nil
	}
	res, err := f.cfg.Run.Run(ctx, runner.Cmd{Argv: []string{"/sbin/pfctl", "-q", "-s", "state", "-vv"}})
	errs := []error{err}
	for _, id := range States(res.Stdout, targets) {
		errs = append(errs, f.pfctl(ctx, "", "-q", "-k", "id", "-k", id))
	}
	return errors.Join(errs...)
}

func fail(err error) error {
	if err == nil {
		return nil
	}
	return &engine.Error{Op: "apply rules", Kind: engine.KindOf(err), Resource: engine.ResourceNetwork, Err: err}
}

// render lists what must hold. The daemon's own anchors come before the ways to them.
func (f *Firewall) render(rules engine.FirewallRules, host Host) ([]load, error) {
	rdr, err := RenderRdr(rules, host)
	if err != nil {
		return nil, err
	}
	nat, err := RenderNat(rules, host)
	if err != nil {
		return nil, err
	}
	filter, err := RenderFilter(rules, host)
	if err != nil {
		return nil, err
	}
	// The doors are closed before what is behind them is told to anybody.
	var loads []load
	for _, a := range []struct{ name, text string }{
		{child(AnchorFilter, f.cfg.Owner), filter},
		{child(AnchorRdr, f.cfg.Owner), rdr},
		{child(AnchorNat, f.cfg.Owner), nat},
		{AnchorFilter, entrance(AnchorFilter)},
		{AnchorRdr, entrance(AnchorRdr)},
		{AnchorNat, entrance(AnchorNat)},
	} {
		loads = append(loads, load{name: a.name, args: []string{"-q", "-a", a.name, "-f", "-"}, stdin: a.text})
	}
	for _, n := range rules.Networks {
		args, stdin, err := TableCommand(n.Name, n.Addrs)
		if err != nil {
			continue // Warnings tells, where it matters
		}
		loads = append(loads, load{name: "table " + n.Name, args: args, stdin: stdin, table: tablePrefix + n.Name, addrs: n.Addrs})
	}
	return loads, nil
}

// againTimeout is how long it is tried to load what others keep from being loaded.
const againTimeout = 10 * time.Second

// pfctl runs pfctl(8), again if it has to. Of all who load rules at a time the kernel lets the last one go on, whatever anchors
// they are of, and has the others begin anew.
func (f *Firewall) pfctl(ctx context.Context, stdin string, args ...string) error {
	if stdin == "" && slices.Contains(args, "-f") {
		stdin = "\n" // nothing is something: an empty ruleset
	}
	for end, pause := time.Now().Add(againTimeout), 5*time.Millisecond; ; pause = min(2*pause, time.Second/4) {
		err := f.pfctlOnce(ctx, stdin, args)
		if err == nil || !Again(err.Error()) || time.Now().After(end) {
			return err
		}
		select {
		case <-time.After(pause + rand.N(pause)):
		case <-ctx.Done():
			return err
		}
	}
}

// pfctlOnce runs pfctl(8) once. Its exit code does not tell everything.
func (f *Firewall) pfctlOnce(ctx context.Context, stdin string, args []string) error {
	res, err := f.cfg.Run.Run(ctx, runner.Cmd{Argv: append([]string{"/sbin/pfctl"}, args...), Stdin: stdin})
	if err != nil {
		return err
	}
	if said := Complaint(res.Stderr); said != "" {
		return fmt.Errorf("pfctl %s: %s", strings.Join(args, " "), said)
	}
	return nil
}

// present reports whether pf is loaded.
func present() bool {
	_, err := os.Stat("/dev/pf")
	return !errors.Is(err, fs.ErrNotExist)
}

// host finds the interfaces that face outwards. stamp changes whenever an address of the host does.
func (f *Firewall) host(rules engine.FirewallRules) (h Host, stamp string, err error) {
	all, err := net.Interfaces()
	if err != nil {
		return h, "", err
	}
	h.OnlyExternal = len(f.cfg.External) > 0
	var b strings.Builder
	b.WriteString("# ")
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			return h, "", err
		}
		ext := External{Name: i.Name}
		for _, a := range addrs {
			fmt.Fprintf(&b, "%s %s ", i.Name, a)
			if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLinkLocalUnicast() {
				ext.IPv4, ext.IPv6 = ext.IPv4 || ip.IP.To4() != nil, ext.IPv6 || ip.IP.To4() == nil
			}
		}
		if f.outward(i, ext, rules) {
			h.External = append(h.External, ext)
		}
	}
	return h, b.String(), nil
}

func (f *Firewall) outward(i net.Interface, ext External, rules engine.FirewallRules) bool {
	if len(f.cfg.External) > 0 {
		return slices.Contains(f.cfg.External, i.Name)
	}
	// That of a network which is being removed is still there when its rules have gone.
	bridge := strings.HasPrefix(i.Name, engine.BridgeName(f.cfg.Owner, "")) ||
		slices.ContainsFunc(rules.Networks, func(n engine.FirewallNetwork) bool { return n.Managed && n.Bridge == i.Name })
	return (ext.IPv4 || ext.IPv6) && i.Flags&net.FlagLoopback == 0 && !bridge
}

// TablesOfAll says that every network has its table, whose addresses are to be those of running containers.
func (f *Firewall) TablesOfAll() bool { return present() }

// Warnings implements networks.Firewall.
func (f *Firewall) Warnings(ctx context.Context) []string {
	f.mu.Lock()
	all := slices.Clone(f.untold)
	f.mu.Unlock()
	if !present() {
		return append(all, ErrDisabled.Error())
	}
	res, err := f.cfg.Run.Run(ctx, runner.Cmd{Argv: []string{"/sbin/pfctl", "-s", "info"}})
	if err != nil {
		return append(all, err.Error())
	}
	if !Enabled(res.Stdout) {
		return append(all, ErrDisabled.Error())
	}
	var main [2]string
	for i, what := range []string{"nat", "rules"} {
		if res, err = f.cfg.Run.Run(ctx, runner.Cmd{Argv: []string{"/sbin/pfctl", "-s", what}}); err != nil {
			return append(all, err.Error())
		}
		main[i] = res.Stdout
	}
	return append(all, Missing(main[0], main[1])...)
}

// Cleanup implements networks.Firewall. The ways from the anchors to the daemons' stay: they may be other daemons' too.
func (f *Firewall) Cleanup(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !present() {
		return nil
	}
	var errs []error
	for _, anchor := range []string{AnchorRdr, AnchorNat, AnchorFilter} {
		errs = append(errs, f.pfctl(ctx, "", "-q", "-a", child(anchor, f.cfg.Owner), "-f", "-"))
	}
	for name := range f.applied {
		if network, ok := strings.CutPrefix(name, "table "); ok {
			args, _, err := TableCommand(network, nil)
			if err == nil {
				err = f.pfctl(ctx, "\n", args...)
			}
			errs = append(errs, err)
		}
	}
	errs = append(errs, f.end(ctx, ended(f.ports, nil)))
	clear(f.applied)
	f.loads, f.ports = nil, nil
	return fail(errors.Join(errs...))
}

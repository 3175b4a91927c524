package pf

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
)

// openFirewall opens that of a daemon of the test's own, on a host with pf.
func openFirewall(t *testing.T, owner engine.Owner) *Firewall {
	t.Helper()
	if os.Getuid() != 0 || !present() {
		t.Skip("needs root and pf")
	}
	f := New(Config{Owner: owner, Run: runner.Host{}})
	t.Cleanup(func() {
		if err := f.Cleanup(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// one is a network with an address, and a port published in it.
func one(name string) engine.FirewallRules {
	n := engine.FirewallNetwork{
		Network: "n", Name: name, Managed: true, Bridge: "xctest0", Masquerade4: true, Subnets: []netip.Prefix{netip.MustParsePrefix("198.18.9.0/24")},
		Addrs: []netip.Addr{netip.MustParseAddr("198.18.9.2")},
	}
	p := port(engine.TCP, "0.0.0.0", 4999, "198.18.9.2:80")
	p.Network = n.Network
	return engine.FirewallRules{Networks: []engine.FirewallNetwork{n}, Ports: []engine.FirewallPort{p}}
}

// Daemons load their rules at the same time, which the kernel lets one of them do.
func TestLoadedAtOnce(t *testing.T) {
	const daemons = 4
	failed := make(chan error, daemons)
	for i := range daemons {
		f := openFirewall(t, engine.Owner(fmt.Sprintf("7e57%04d", i)))
		go func() {
			for range 5 {
				if err := f.Apply(context.Background(), one(fmt.Sprint("pftest", i)), true); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range daemons {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

func TestFlushedComesBack(t *testing.T) {
	f, ctx := openFirewall(t, "7e570009"), context.Background()
	if err := f.Apply(ctx, one("pftest9"), true); err != nil {
		t.Fatal(err)
	}
	if lost, err := f.Mend(ctx); err != nil || len(lost) > 0 {
		t.Errorf("of what was just loaded is lost: %q %v", lost, err)
	}
	anchor := child(AnchorRdr, "7e570009")
	for what, args := range map[string][]string{
		anchor:          {"-q", "-a", anchor, "-F", "nat"},
		"table pftest9": {"-q", "-t", "xc:network:pftest9", "-T", "flush"},
	} {
		if err := f.pfctl(ctx, "", args...); err != nil {
			t.Fatal(err)
		}
		if lost, err := f.Mend(ctx); err != nil || !slices.Equal(lost, []string{what}) {
			t.Errorf("lost %q %v, want %s", lost, err, what)
		}
		if lost, err := f.Mend(ctx); err != nil || len(lost) > 0 {
			t.Errorf("%s did not come back: %q %v", what, lost, err)
		}
	}
	res, err := f.cfg.Run.Run(ctx, runner.Cmd{Argv: []string{"/sbin/pfctl", "-q", "-a", anchor, "-s", "nat"}})
	if err != nil || !strings.Contains(res.Stdout, "port = 4999 -> 198.18.9.2 port 80") {
		t.Errorf("the anchor holds %q %v", res.Stdout, err)
	}
}

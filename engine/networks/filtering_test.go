package networks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/xcengine/xc/engine"
)

// portFilter notes what it is told.
type portFilter struct {
	Firewall
	told []string
	fail error
	lost bool // what holds is not known
}

func (f *portFilter) Apply(_ context.Context, _ engine.FirewallRules, assert bool) error {
	f.told = append(f.told, fmt.Sprint("all ", assert))
	return f.fail
}

func (f *portFilter) ApplyPorts(_ context.Context, gone, come []engine.FirewallPort) (bool, error) {
	if !f.lost {
		f.told = append(f.told, fmt.Sprintf("ports -%d +%d", len(gone), len(come)))
	}
	return !f.lost, f.fail
}

// TestFilterIsToldPortsAlone unless it does not know the rest, or a change before went wrong.
func TestFilterIsToldPortsAlone(t *testing.T) {
	filter := &portFilter{}
	f := newFiltering(filter, func() engine.FirewallRules { return engine.FirewallRules{} })
	port := []engine.FirewallPort{{HostPort: 80}}
	step := func(do func(context.Context) error, want ...string) {
		t.Helper()
		filter.told = nil
		if err := do(t.Context()); !errors.Is(err, filter.fail) {
			t.Errorf("got %v", err)
		}
		if !slices.Equal(filter.told, want) {
			t.Errorf("told %q, want %q", filter.told, want)
		}
	}
	come := func(ctx context.Context) error { return f.ports(ctx, nil, port) }
	step(f.sync, "all false")
	step(come, "ports -0 +1")
	filter.lost = true
	step(come, "all false")
	filter.lost, filter.fail = false, errors.New("no")
	step(come, "ports -0 +1")
	filter.fail = nil
	step(come, "all false")
	step(come, "ports -0 +1")
	step(f.assert, "all true")
}

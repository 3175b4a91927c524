package fake

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/xcengine/xc/engine"
)

// Firewall is networks.Firewall in memory. Its zero value has no rules.
type Firewall struct {
	mu      sync.Mutex
	rules   engine.FirewallRules
	applied int
	warns   []string
	fail    func(call string) error
}

// FailOn makes calls fail: f is asked before each with its name; what it returns is the call's error.
func (f *Firewall) FailOn(g func(call string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = g
}

// Apply notes the rules.
func (f *Firewall) Apply(_ context.Context, rules engine.FirewallRules, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail("Apply"); err != nil {
			return fmt.Errorf("apply: %w", err)
		}
	}
	f.rules = rules
	f.applied++
	return nil
}

// Rules returns what was applied last, and how often anything was.
func (f *Firewall) Rules() (rules engine.FirewallRules, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rules, f.applied
}

// Warn makes Warnings return these sentences.
func (f *Firewall) Warn(sentences ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.warns = sentences
}

// Warnings returns what Warn said.
func (f *Firewall) Warnings(context.Context) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.warns)
}

// Cleanup forgets the rules.
func (f *Firewall) Cleanup(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = engine.FirewallRules{}
	return nil
}

package rctl

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func TestRules(t *testing.T) {
	pids, none := int64(50), int64(-1)
	for name, tc := range map[string]struct {
		res  engine.Resources
		want []string
	}{
		"nothing": {engine.Resources{PidsLimit: &none}, nil},
		"memory":  {engine.Resources{Memory: 64 << 20, MemorySwap: -1}, []string{"jail:xc-a:memoryuse:log=67108864", "jail:xc-a:memoryuse:sigkill=67108864"}},
		"swap":    {engine.Resources{Memory: 10, MemorySwap: 30}, []string{"jail:xc-a:memoryuse:log=10", "jail:xc-a:memoryuse:sigkill=10"}},
		"pids":    {engine.Resources{PidsLimit: &pids}, []string{"jail:xc-a:maxproc:deny=50"}},
		"cpus":    {engine.Resources{NanoCPUs: 1_500_000_000}, []string{"jail:xc-a:pcpu:deny=150"}},
		"quota":   {engine.Resources{CPUQuota: 25_000}, []string{"jail:xc-a:pcpu:deny=25"}},
		"least":   {engine.Resources{NanoCPUs: 1}, []string{"jail:xc-a:pcpu:deny=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Rules("xc-a", tc.res)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseUsage(t *testing.T) {
	got, err := ParseUsage("cputime=12,datasize=1,memoryuse=4096\nmaxproc=3\npcpu=0\n\nswapuse=7\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Usage{CPUTime: 12, Memory: 4096, Processes: 3, Swap: 7}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := ParseUsage("memoryuse=lots\n"); err == nil {
		t.Error("no error")
	}
}

func TestBound(t *testing.T) {
	rules := []string{"jail:xc-a:memoryuse:log=10", "jail:xc-a:memoryuse:sigkill=64", "jail:xc-a:pcpu:deny=50/jail"}
	for _, tc := range []struct {
		resource, action string
		want             uint64
	}{{"memoryuse", "sigkill", 64}, {"pcpu", "deny", 50}, {"maxproc", "deny", 0}} {
		if got := Bound(rules, tc.resource, tc.action); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.resource, got, tc.want)
		}
	}
}

func TestMessages(t *testing.T) {
	buffer := "boot\nrctl: rule \"jail:xc-a:memoryuse:log=10\" matched by pid 12 (sh), uid 0, jail xc-a\n" +
		"<6>rctl: rule \"jail:xc-ab:memoryuse:log=10\" matched by pid 13 (sh), uid 0, jail xc-ab\nrctl: rule \"jail:xc-a:maxproc:log=1\" matched by pid 1 (a)\n"
	want := []string{`rctl: rule "jail:xc-a:memoryuse:log=10" matched by pid 12 (sh), uid 0, jail xc-a`}
	if diff := cmp.Diff(want, Messages(buffer, "xc-a")); diff != "" {
		t.Error(diff)
	}
}

package rctl

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Subject is the rules' subject of a jail.
func Subject(jail string) string { return "jail:" + jail }

// Rules renders limits for a jail as rctl(8) takes them, "jail:name:resource:action=amount". A memory bound kills what
// exceeds it, as an out-of-memory killer does, and is reported in the kernel's messages; processes beyond theirs are refused; processor time is
// throttled. Swap is not bounded: what rctl counts as swapuse is all memory that was promised, be it used or not.
func Rules(jail string, r engine.Resources) []string {
	var rules []string
	add := func(resource, action string, amount int64) {
		rules = append(rules, fmt.Sprintf("%s:%s:%s=%d", Subject(jail), resource, action, amount))
	}
	if r.Memory > 0 {
		add("memoryuse", "log", r.Memory)
		add("memoryuse", "sigkill", r.Memory)
	}
	if p := r.PidsLimit; p != nil && *p > 0 {
		add("maxproc", "deny", *p)
	}
	if pcpu := percent(r); pcpu > 0 {
		add("pcpu", "deny", pcpu)
	}
	for _, u := range r.Ulimits {
		if resource, ok := ulimits[u.Name]; ok && u.Hard >= 0 {
			add(resource, "deny", u.Hard)
		}
	}
	return rules
}

// ulimits are those of Docker's names that bound a jail as a whole; the others are set per process by setrlimit(2).
var ulimits = map[string]string{"msgqueue": "msgqqueued"}

// percent gives the share of processors in per cent of one; 0 is no bound.
func percent(r engine.Resources) int64 {
	switch {
	case r.NanoCPUs > 0:
		return max(r.NanoCPUs/10_000_000, 1)
	case r.CPUQuota > 0:
		period := r.CPUPeriod
		if period == 0 {
			period = 100_000
		}
		return max(r.CPUQuota*100/period, 1)
	}
	return 0
}

// Bound returns the amount at which one of a jail's rules acts; 0 is none.
func Bound(rules []string, resource, action string) uint64 {
	for _, r := range rules {
		// subject:name:resource:action=amount[/per]
		parts := strings.SplitN(r, ":", 4)
		if len(parts) != 4 || parts[2] != resource {
			continue
		}
		amount, ok := strings.CutPrefix(parts[3], action+"=")
		if !ok {
			continue
		}
		amount, _, _ = strings.Cut(amount, "/")
		if n, err := strconv.ParseUint(amount, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// Messages finds, in the kernel's message buffer, what it logged of processes that exceeded a jail's bound of memory. The
// pid makes each unlike the others.
func Messages(buffer, jail string) []string {
	var found []string
	for line := range strings.Lines(buffer) {
		// rctl: rule "jail:xc-0a1b:memoryuse:log=67108864" matched by pid 123 (sh), uid 0, jail xc-0a1b
		if i := strings.Index(line, "rctl: rule \""+Subject(jail)+":memoryuse:log="); i >= 0 && strings.Contains(line, " matched by pid ") {
			found = append(found, strings.TrimSpace(line[i:]))
		}
	}
	return found
}

// Usage is what a jail uses, from rctl_get_racct(2).
type Usage struct {
	CPUTime           uint64 // seconds
	Memory            uint64 // bytes
	Swap              uint64
	Processes         uint64
	Threads           uint64
	PCPU              uint64 // per cent of one processor
	ReadBPS, WriteBPS uint64
}

// ParseUsage reads "resource=amount", apart by commas or lines. Resources that are not known are passed over.
func ParseUsage(out string) (Usage, error) {
	var u Usage
	fields := map[string]*uint64{
		"cputime": &u.CPUTime, "memoryuse": &u.Memory, "swapuse": &u.Swap, "maxproc": &u.Processes, "nthr": &u.Threads, "pcpu": &u.PCPU,
		"readbps": &u.ReadBPS, "writebps": &u.WriteBPS,
	}
	for _, line := range strings.FieldsFunc(out, func(r rune) bool { return r == ',' || r == '\n' }) {
		name, amount, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		to := fields[name]
		if to == nil {
			continue
		}
		n, err := strconv.ParseUint(amount, 10, 64)
		if err != nil {
			return u, fmt.Errorf("rctl usage %q: %w", line, err)
		}
		*to = n
	}
	return u, nil
}

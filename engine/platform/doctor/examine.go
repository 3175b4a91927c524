package doctor

// Options are what an administrator may decide.
type Options struct {
	Pool  string   // ZFS pool for images and containers; empty: the one that / is on, else the one with the most room
	Users []string // who may use the Docker socket
}

// check looks at one side of the facts.
type check func(Facts, Options) []Finding

// The checks of each system, in the order in which their steps must be done.
var (
	freebsdChecks = []check{
		privilege, configuration, kernel, kernelModules, brand, accounting, forwarding, bridgeFilter, devfsRules,
		pools, datasets, ownDatasets, pfRules, pfState, pfPolicy, space, dockerGroup, dockerProgram, programs, service, sockets,
	}
	linuxChecks = []check{
		privilege, configuration, ociRuntime, overlayFS, nftables, controlGroups, linuxForwarding, space, dockerGroup, dockerProgram,
		programs, sockets, warnings,
	}
)

// Examine says what the facts mean.
func Examine(f Facts, o Options) Report {
	checks := linuxChecks
	switch {
	case f.FreeBSD != nil:
		checks = freebsdChecks
	case f.Linux == nil:
		return Report{[]Finding{{ID: "system", Severity: Broken, What: "this is neither FreeBSD nor Linux", Breaks: "xcd runs on these alone"}}}
	}
	var r Report
	for _, c := range checks {
		r.Findings = append(r.Findings, c(f, o)...)
	}
	for i := range r.Findings {
		if r.Findings[i].Mend == nil {
			r.Findings[i].Mend = mends(r.Findings[i].Steps)
		}
	}
	return r
}

// one is the finding, or what stands there when nothing is wrong.
func one(wrong bool, f Finding, fine string) []Finding {
	if wrong {
		return []Finding{f}
	}
	return []Finding{ok(f.ID, fine)}
}

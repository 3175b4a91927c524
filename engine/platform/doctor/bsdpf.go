package doctor

import (
	"strings"

	"github.com/xcengine/xc/engine/platform/freebsd/pf"
)

// noFilter is what containers lack without pf or without its anchors.
const noFilter = "published ports are served by a proxy alone, which hides the clients' addresses; containers do not reach outside, and networks are not kept apart"

// pfRules looks at whether pf.conf refers to the daemon's anchors.
func pfRules(f Facts, _ Options) []Finding {
	file := f.FreeBSD.PFConf
	amended, missing := amendPF(file.Text)
	if len(missing) == 0 {
		return []Finding{ok("pf.conf", file.Path+" refers to the anchors "+anchorNames())}
	}
	what := file.Path + " lacks " + strings.Join(missing, ", ") + " before its filter rules"
	if !file.Exists {
		what = "there is no " + file.Path
		amended = "# Translation rules come before filter rules.\n" + amended
	}
	steps := []Step{Edit{
		Path: file.Path, Old: file.Text, New: amended, Absent: !file.Exists, Mode: 0o600, Check: []string{"/sbin/pfctl", "-n", "-f"},
	}}
	if f.FreeBSD.PFEnabled {
		steps = append(steps, command("service", "pf", "reload"))
	}
	return []Finding{{
		ID: "pf.conf", Severity: Limited, What: what,
		Breaks: noFilter, Steps: steps,
	}}
}

func anchorNames() string {
	var names []string
	for _, a := range pf.Anchors {
		names = append(names, a.Name)
	}
	return strings.Join(names, ", ")
}

// pfState looks at whether pf runs, now and at boot, with the rules of the file. It is planned only where its rules block
// nothing: else enabling it may cut off whoever does.
func pfState(f Facts, _ Options) []Finding {
	b := f.FreeBSD
	boots := yes(b.RC["pf_enable"])
	const breaks = noFilter
	enable, start := command("sysrc", "pf_enable=YES"), command("service", "pf", "start")
	switch {
	case !b.PFEnabled && pfFilters(b.PFConf.Text):
		return []Finding{{
			ID: "pf", Severity: Limited, What: "pf is not enabled, and " + b.PFConf.Path + " has rules that block",
			Breaks: breaks + "; setup does not enable it: over the network you could cut yourself off",
			Mend:   []string{"pfctl -n -f " + b.PFConf.Path, "sysrc pf_enable=YES", "service pf start"},
		}}
	case !b.PFEnabled && boots:
		return []Finding{{ID: "pf", Severity: Limited, What: "pf is not enabled now, but is at boot", Breaks: breaks, Steps: []Step{start}}}
	case !b.PFEnabled:
		return []Finding{{ID: "pf", Severity: Limited, What: "pf is not enabled", Breaks: breaks, Steps: []Step{enable, start}}}
	case !boots:
		return []Finding{{ID: "pf", Severity: Limited, What: "pf is enabled, but not at boot", Breaks: "after a reboot: " + breaks, Steps: []Step{enable}}}
	}
	if _, lacking := amendPF(b.PFConf.Text); len(lacking) == 0 && len(b.PFMissing) > 0 {
		return []Finding{{
			ID: "pf", Severity: Limited, What: "the rules in force lack " + strings.Join(b.PFMissing, ", ") + ", which " + b.PFConf.Path + " has",
			Breaks: breaks, Steps: []Step{command("service", "pf", "reload")},
		}}
	}
	return []Finding{ok("pf", "pf is enabled, now and at boot")}
}

// pfPolicy looks for rules that block what they do not know. What to pass is the administrator's to say.
func pfPolicy(f Facts, _ Options) []Finding {
	file := f.FreeBSD.PFConf
	return one(pfBlocksAll(file.Text), Finding{
		ID: "pf.policy", Severity: Hint, What: file.Path + " blocks what it does not pass, and passes nothing on the group xc, which containers' interfaces are in",
		Breaks: "containers may reach neither names nor the outside; published ports are passed",
		Mend:   []string{`add to ` + file.Path + `, after the rule that blocks: pass quick on xc`, "service pf reload"},
	}, file.Path+" does not block containers, as far as can be told")
}

package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine/platform/freebsd/linuxulator"
)

func number(f Facts, name string) (int, bool) {
	n, err := strconv.Atoi(f.FreeBSD.Sysctl[name])
	return n, err == nil
}

// kernel looks at what no command changes while the host runs.
func kernel(f Facts, _ Options) []Finding {
	release := f.FreeBSD.Sysctl["kern.osrelease"]
	found := one(olderThan(release, 13, 2), Finding{
		ID: "release", Severity: Limited, What: "this is FreeBSD " + release, Breaks: "nobody tried xcd on releases before 13.2",
		Mend: []string{"freebsd-update -r 14.3-RELEASE upgrade"},
	}, "this is FreeBSD "+release)
	if jailed, _ := number(f, "security.jail.jailed"); jailed != 0 {
		found = append(found, Finding{
			ID: "jailed", Severity: Broken, What: "this is itself a jail", Breaks: "no jails with networks, mounts and datasets of their own can be made here",
			Mend: []string{"run xcd on the host"},
		})
	}
	vimage, _ := number(f, "kern.features.vimage")
	found = append(found, one(vimage != 1, Finding{
		ID: "vimage", Severity: Broken, What: "this kernel has no VIMAGE", Breaks: "containers have no network stack of their own, so no bridge networks",
		Mend: []string{"boot a kernel with \"options VIMAGE\" (GENERIC has it)"},
	}, "the kernel has VIMAGE")...)
	level, _ := number(f, "kern.securelevel")
	return append(found, one(level > 0, securelevel(level), fmt.Sprintf("securelevel is %d", level))...)
}

// securelevel is what a raised level takes away, security(7).
func securelevel(level int) Finding {
	finding := Finding{
		ID: "securelevel", Severity: Limited, What: fmt.Sprintf("securelevel is %d", level), Breaks: "modules cannot be loaded any more",
		Mend: []string{"sysrc kern_securelevel_enable=NO", "shutdown -r now"}, Reboot: true,
	}
	if level >= 3 {
		finding.Severity, finding.Breaks = Broken, "neither modules can be loaded nor pf's rules changed: no published ports, no way out for containers"
	}
	return finding
}

func olderThan(release string, major, minor int) bool {
	v, _, _ := strings.Cut(release, "-")
	a, b, _ := strings.Cut(v, ".")
	x, err1 := strconv.Atoi(a)
	y, err2 := strconv.Atoi(b)
	return err1 == nil && err2 == nil && (x < major || x == major && y < minor)
}

// need is a module and what does without it.
type need struct {
	module   string
	severity Severity
	breaks   string
	lazy     bool // the kernel loads it itself, at the first mount by root
	optional bool // setup does not load it
}

var needs = []need{
	// A host without it has no pool either.
	{module: "zfs", severity: Limited, breaks: "images and roots are copied file by file instead of cloned", optional: true},
	{module: "nullfs", severity: Broken, breaks: "no volumes and bind mounts", lazy: true},
	{module: "tmpfs", severity: Broken, breaks: "no /dev/shm and no --tmpfs", lazy: true},
	{module: "fdescfs", severity: Broken, breaks: "no /dev/fd in containers; Linux images do not start", lazy: true},
	{module: "if_bridge", severity: Broken, breaks: "no bridge networks, so no default network"},
	{module: "if_epair", severity: Broken, breaks: "no interfaces for containers, so no default network"},
	{module: "pf", severity: Limited, breaks: noFilter},
	{module: "linux64", severity: Limited, breaks: linuxulator.BreaksAll},
	{module: "linprocfs", severity: Limited, breaks: linuxulator.BreaksAll},
	{module: "linsysfs", severity: Limited, breaks: linuxulator.BreaksAll},
	{module: "dtraceall", severity: Hint, breaks: `"xc trace" does not work`, optional: true},
}

// kernelModules looks at which modules are loaded, and which will be after a reboot.
func kernelModules(f Facts, _ Options) []Finding {
	level, _ := number(f, "kern.securelevel")
	var found []Finding
	for _, n := range needs {
		one := n.check(f.FreeBSD)
		if level > 0 && one.Steps != nil { // the kernel takes no module any more
			one.Mend, one.Steps = mends(one.Steps), nil
		}
		found = append(found, one)
	}
	return found
}

func (n need) check(b *FreeBSD) Finding {
	f := Finding{ID: "module." + n.module, Severity: n.severity, Breaks: n.breaks}
	load, boot := command("kldload", "-n", n.module), command("sysrc", "kld_list+="+n.module)
	if n.module == "zfs" { // its rc script loads it, and mounts what must be mounted
		boot = command("sysrc", "zfs_enable=YES")
	}
	switch loaded, boots := b.Loaded[n.module], n.atBoot(b); {
	case !loaded && !b.Available[n.module]:
		f.What, f.Mend = "there is no module "+n.module+" for this kernel", []string{"install the kernel's modules (freebsd-update fetch install)"}
	case !loaded && n.optional:
		f.Severity, f.What, f.Mend = Hint, "the module "+n.module+" is not loaded", slices.Concat(load.Lines(), boot.Lines())
	case !loaded && n.lazy:
		f.What, f.Severity, f.Steps = "the module "+n.module+" is not loaded", Limited, []Step{load, boot}
		f.Breaks += ", until the kernel loads it at a first mount"
	case !loaded && n.module == "pf": // at boot its rc script does, which pfState looks at
		f.What, f.Steps = "the module pf is not loaded", []Step{load}
	case !loaded:
		f.What, f.Steps = "the module "+n.module+" is not loaded", []Step{load, boot}
	case boots, n.severity == Hint, n.module == "pf":
		return ok(f.ID, "the module "+n.module+" is loaded")
	default:
		f.What, f.Severity, f.Steps = "the module "+n.module+" is loaded, but not at boot", Limited, []Step{boot}
		f.Breaks = "after a reboot: " + n.breaks
	}
	return f
}

// atBoot reports whether the next boot brings the module.
func (n need) atBoot(b *FreeBSD) bool {
	m := n.module
	switch {
	case b.BuiltIn[m], slices.Contains(strings.Fields(b.RC["kld_list"]), m), yes(assignment(b.LoaderConf.Text, m+"_load")):
		return true
	case m == "zfs":
		return yes(b.RC["zfs_enable"])
	case m == "pf":
		return yes(b.RC["pf_enable"])
	case m == "linux64":
		return yes(b.RC["linux_enable"])
	case slices.Contains([]string{"linprocfs", "linsysfs", "fdescfs", "tmpfs"}, m): // rc.d/linux mounts them
		return yes(b.RC["linux_enable"]) && (b.RC["linux_mounts_enable"] == "" || yes(b.RC["linux_mounts_enable"]))
	}
	return false
}

// yes reads a value as rc.subr's checkyesno does.
func yes(v string) bool {
	return slices.Contains([]string{"yes", "true", "on", "1"}, strings.ToLower(strings.Trim(v, `"`)))
}

// assignment is the value of the last line that sets a variable in a file of name=value lines, as loader.conf(5) and
// sysctl.conf(5) are.
func assignment(text, name string) string {
	value := ""
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if n, v, ok := strings.Cut(line, "="); ok && strings.TrimSpace(n) == name {
			value = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return value
}

// set gives the change of a file of name=value lines that makes a variable have a value.
func set(f File, name, value string) Edit {
	e := Edit{Path: f.Path, Old: f.Text, Absent: !f.Exists, Mode: 0o644}
	var b strings.Builder
	done := false
	for line := range strings.Lines(f.Text) {
		code, _, _ := strings.Cut(line, "#")
		if n, _, ok := strings.Cut(code, "="); ok && strings.TrimSpace(n) == name {
			line, done = name+"="+value+"\n", true
		}
		b.WriteString(line)
	}
	if !done {
		if f.Text != "" && !strings.HasSuffix(f.Text, "\n") {
			b.WriteString("\n")
		}
		b.WriteString(name + "=" + value + "\n")
		e.Typed = "echo " + name + "=" + value + " >> " + f.Path
	}
	e.New = b.String()
	return e
}

// brand looks at what static Linux programs need to be known as such.
func brand(f Facts, _ Options) []Finding {
	const name = "kern.elf64.fallback_brand"
	now, there := number(f, name)
	if !there {
		return nil
	}
	kept := assignment(f.FreeBSD.SysctlConf.Text, name)
	finding := Finding{ID: "linux.brand", Severity: Limited, What: fmt.Sprintf("%s is %d", name, now), Breaks: linuxulator.BreaksSome}
	edit := set(f.FreeBSD.SysctlConf, name, "3")
	switch {
	case now == 3 && kept == "3":
		return []Finding{ok(finding.ID, finding.What)}
	case now == 3:
		finding.What, finding.Breaks, finding.Steps = finding.What+", but not after a reboot", "then "+finding.Breaks, []Step{edit}
	case now == -1:
		finding.Steps = []Step{command("sysctl", name+"=3"), edit}
	default: // somebody wants it so
		finding.Mend = []string{"sysctl " + name + "=3"}
	}
	return []Finding{finding}
}

// accounting looks at rctl(8)'s need, which only a boot gives.
func accounting(f Facts, _ Options) []Finding {
	const name = "kern.racct.enable"
	now, there := number(f, name)
	finding := Finding{
		ID: "racct", Severity: Limited, What: name + " is 0", Reboot: true,
		Breaks: "limits of memory, processors and processes are discarded, and docker stats shows none",
	}
	kept := assignment(f.FreeBSD.LoaderConf.Text, name)
	switch {
	case !there:
		finding.What, finding.Mend = "this kernel has no RACCT", []string{"boot a kernel with \"options RACCT, RCTL\" (GENERIC has them)"}
	case now == 1:
		return []Finding{ok(finding.ID, name+" is 1")}
	case kept == "1":
		finding.What, finding.Mend = name+" waits in "+loaderConf+" for a reboot", []string{"shutdown -r now"}
	default:
		edit := set(f.FreeBSD.LoaderConf, name, "1")
		finding.Steps = []Step{edit}
		finding.Mend = append(mends(finding.Steps), "shutdown -r now")
	}
	return []Finding{finding}
}

// forwarding looks at rc.conf: the daemon itself turns forwarding on when it makes a network, rc(8) turns it off again.
func forwarding(f Facts, _ Options) []Finding {
	now, _ := number(f, "net.inet.ip.forwarding")
	steps := []Step{command("sysrc", "gateway_enable=YES")}
	if now != 1 {
		steps = append(steps, command("sysctl", "net.inet.ip.forwarding=1"))
	}
	found := one(!yes(f.FreeBSD.RC["gateway_enable"]), Finding{
		ID: "forwarding", Severity: Limited, What: "gateway_enable is not set in rc.conf",
		Breaks: "xcd turns forwarding on when it starts, but containers lose the way out and their published ports with the next \"service routing restart\"",
		Steps:  steps,
	}, "the host forwards IPv4")
	v6, there := number(f, "net.inet6.ip6.forwarding")
	return append(found, one(there && v6 != 1 && !yes(f.FreeBSD.RC["ipv6_gateway_enable"]), Finding{
		ID: "forwarding6", Severity: Hint, What: "the host does not forward IPv6",
		Breaks: "nothing until a network with IPv6 is made; a host that forwards takes no router advertisements itself, so this is left to you",
		Mend:   []string{"sysrc ipv6_gateway_enable=YES", "sysctl net.inet6.ip6.forwarding=1"},
	}, "the host forwards IPv6, or has none")...)
}

// bridgeFilter looks at where pf sees containers' packets.
func bridgeFilter(f Facts, _ Options) []Finding {
	member, _ := number(f, "net.link.bridge.pfil_member")
	bridge, _ := number(f, "net.link.bridge.pfil_bridge")
	found := one(member+bridge > 0 && pfFilters(f.FreeBSD.PFConf.Text), Finding{
		ID: "bridge.pfil", Severity: Hint, What: fmt.Sprintf("net.link.bridge.pfil_member is %d, pfil_bridge %d", member, bridge),
		Breaks: "pf's rules, some of which block, also decide what containers of one network send each other: pass it (the interfaces are in the group xc), or turn this off",
		Mend:   []string{"sysctl net.link.bridge.pfil_member=0 net.link.bridge.pfil_bridge=0"},
	}, "pf blocks nothing inside of bridges")
	if v, there := f.FreeBSD.Sysctl["net.pf.filter_local"]; there {
		found = append(found, ok("pf.filter_local", "net.pf.filter_local is "+v+": either does, the host's own connections go by the proxy"))
	}
	return found
}

// devfsRules looks for the rulesets that every container's ruleset includes.
func devfsRules(f Facts, _ Options) []Finding {
	var missing []string
	for _, n := range []int{1, 2, 3} {
		if !slices.Contains(f.FreeBSD.Rulesets, n) {
			missing = append(missing, strconv.Itoa(n))
		}
	}
	return one(f.Root && len(missing) > 0, Finding{
		ID: "devfs", Severity: Broken, What: "devfs has no ruleset " + strings.Join(missing, ", ") + " of /etc/defaults/devfs.rules",
		Breaks: "containers' /dev cannot be restricted, so none start", Steps: []Step{command("service", "devfs", "restart")},
	}, "devfs has its default rulesets")
}

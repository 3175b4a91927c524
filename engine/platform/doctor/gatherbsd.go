package doctor

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine/platform/freebsd/pf"
)

// sysctls are read from FreeBSD's kernel.
var sysctls = []string{
	"kern.osrelease", "kern.securelevel", "security.jail.jailed", "kern.features.vimage", "kern.racct.enable", "kern.elf64.fallback_brand",
	"net.inet.ip.forwarding", "net.inet6.ip6.forwarding", "net.pf.filter_local", "net.link.bridge.pfil_member", "net.link.bridge.pfil_bridge",
}

// modules are what containers need of the kernel.
var modules = []string{
	"zfs", "nullfs", "fdescfs", "tmpfs", "if_epair", "if_bridge", "pf", "linux64", "linprocfs", "linsysfs", "dtraceall",
}

// rcVariables are read from rc.conf.
var rcVariables = []string{
	"kld_list", "gateway_enable", "ipv6_gateway_enable", "pf_enable", "pf_rules", "zfs_enable", "linux_enable", "linux_mounts_enable", "xcd_enable",
}

// datasetProperties are what is asked of a dataset.
const datasetProperties = "type,mountpoint,canmount,keystatus"

const (
	loaderConf = "/boot/loader.conf"
	sysctlConf = "/etc/sysctl.conf"
	pfConf     = "/etc/pf.conf"
	rcScript   = "/usr/local/etc/rc.d/xcd"
)

// gatherFreeBSD finds what FreeBSD has.
func (s Source) gatherFreeBSD(ctx context.Context) Facts {
	f := s.gather(ctx, Defaults{ConfigFile: DefaultConfig, StateDir: "/var/db/xc"})
	b := &FreeBSD{
		Sysctl:     assignments(s.output(ctx, append([]string{"/sbin/sysctl", "-ei"}, sysctls...)...)),
		RC:         assignments(s.output(ctx, append([]string{"/usr/sbin/sysrc", "-ei"}, rcVariables...)...)),
		LoaderConf: s.file(loaderConf), SysctlConf: s.file(sysctlConf), Service: s.Exists(rcScript),
		Available: map[string]bool{}, Datasets: map[string]Dataset{}, CopyInUse: s.Exists(filepath.Join(f.Config.StateDir, "layers/copy")),
	}
	f.FreeBSD = b
	b.Loaded, b.BuiltIn = parseModules(s.output(ctx, "/sbin/kldstat", "-v"))
	for _, m := range modules {
		b.Available[m] = b.Loaded[m] || s.Exists("/boot/kernel/"+m+".ko") || s.Exists("/boot/modules/"+m+".ko")
	}
	rules := b.RC["pf_rules"]
	if rules == "" {
		rules = pfConf
	}
	b.PFConf = s.file(rules)
	s.pf(ctx, b)
	b.Rulesets = numbers(s.output(ctx, "/sbin/devfs", "rule", "showsets"))
	if b.Loaded["zfs"] {
		s.zfs(ctx, f.Config, b)
	}
	return f
}

func (s Source) pf(ctx context.Context, b *FreeBSD) {
	if !b.Loaded["pf"] {
		return
	}
	if b.PFEnabled = pf.Enabled(s.output(ctx, "/sbin/pfctl", "-s", "info")); b.PFEnabled {
		for _, a := range pf.Lacking(s.output(ctx, "/sbin/pfctl", "-s", "nat"), s.output(ctx, "/sbin/pfctl", "-s", "rules")) {
			b.PFMissing = append(b.PFMissing, a.Line())
		}
	}
}

func (s Source) zfs(ctx context.Context, c Config, b *FreeBSD) {
	for line := range strings.Lines(s.output(ctx, "/sbin/zpool", "list", "-Hp", "-o", "name,health,free,capacity")) {
		w := strings.Fields(line)
		if len(w) != 4 {
			continue
		}
		free, _ := strconv.ParseUint(w[2], 10, 64) // "-" of a pool that is faulted
		full, _ := strconv.Atoi(w[3])
		b.Pools = append(b.Pools, Pool{Name: w[0], Health: w[1], Free: free, Full: full})
	}
	if root := strings.TrimSpace(s.output(ctx, "/sbin/zfs", "list", "-H", "-o", "name", "/")); root != "" {
		b.RootPool, _, _ = strings.Cut(root, "/")
	}
	if owner, err := s.ReadFile(filepath.Join(c.StateDir, "owner")); err == nil {
		b.Owner = strings.TrimSpace(string(owner))
	}
	for _, name := range wantedDatasets(c, b.Owner) {
		if p := properties(s.output(ctx, "/sbin/zfs", "get", "-Hp", "-o", "property,value", datasetProperties, name)); len(p) > 0 {
			b.Datasets[name] = p
		}
	}
}

// wantedDatasets are the configured datasets, and the daemon's own below them.
func wantedDatasets(c Config, owner string) []string {
	var names []string
	for _, parent := range []string{c.ImageDataset, c.ContainerDataset} {
		if parent == "" || slices.Contains(names, parent) {
			continue
		}
		if names = append(names, parent); owner != "" {
			names = append(names, parent+"/"+owner)
		}
	}
	return names
}

// assignments reads lines of the form name=value or name="value", as sysctl(8) and sysrc(8) print them.
func assignments(out string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			all[name] = strings.Trim(value, `"`)
		}
	}
	return all
}

// properties reads what "zfs get -H -o property,value" prints.
func properties(out string) Dataset {
	all := Dataset{}
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			all[name] = value
		}
	}
	return all
}

// parseModules reads "kldstat -v": the files without ".ko", and the modules in them; builtIn are those in the kernel itself.
func parseModules(out string) (loaded, builtIn map[string]bool) {
	loaded, builtIn = map[string]bool{}, map[string]bool{}
	file := ""
	for line := range strings.Lines(out) {
		w := strings.Fields(line)
		switch {
		case len(w) >= 5 && strings.HasPrefix(w[2], "0x"):
			file = strings.TrimSuffix(w[4], ".ko")
			loaded[file] = true
		case len(w) == 2 && w[0] != "Id" && w[0] != "Contains":
			loaded[w[1]] = true
			if file == "kernel" {
				builtIn[w[1]] = true
			}
		}
	}
	return loaded, builtIn
}

func numbers(out string) []int {
	var all []int
	for _, w := range strings.Fields(out) {
		if n, err := strconv.Atoi(w); err == nil {
			all = append(all, n)
		}
	}
	return all
}

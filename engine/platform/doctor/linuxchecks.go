package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// ociRuntime looks for what makes containers on Linux.
func ociRuntime(f Facts, _ Options) []Finding {
	if wanted := f.Config.Runtime; wanted != "" {
		return one(f.Tools[wanted] == "", Finding{
			ID: "runtime", Severity: Broken, What: "the configured OCI runtime " + wanted + " is not installed", Breaks: "xcd does not start",
			Mend: []string{install(f, "runc"), "$EDITOR " + f.Config.File.Path},
		}, "the OCI runtime is "+f.Tools[wanted])
	}
	path := firstOf(f.Tools["crun"], f.Tools["runc"])
	return one(path == "", Finding{
		ID: "runtime", Severity: Broken, What: "no OCI runtime is installed", Breaks: "xcd does not start", Mend: []string{install(f, "runc")},
	}, "the OCI runtime is "+path)
}

func overlayFS(f Facts, _ Options) []Finding {
	return one(!f.Linux.Overlay, Finding{
		ID: "overlay", Severity: Limited, What: "the kernel has no overlayfs", Breaks: "images and roots are copied file by file: slower, and more space",
		Steps: []Step{command("modprobe", "overlay")},
	}, "the kernel has overlayfs")
}

func nftables(f Facts, _ Options) []Finding {
	return one(!f.Linux.NFTables, Finding{
		ID: "nftables", Severity: Broken, What: "the kernel has no nftables", Breaks: "networks cannot be made: no way out, no published ports",
		Steps: []Step{command("modprobe", "nf_tables")},
	}, "the kernel has nftables")
}

func controlGroups(f Facts, _ Options) []Finding {
	var missing []string
	for _, c := range []string{"cpu", "memory", "pids"} {
		if !slices.Contains(f.Linux.Controllers, c) {
			missing = append(missing, c)
		}
	}
	return one(len(missing) > 0, Finding{
		ID: "cgroups", Severity: Limited, What: "no control groups for " + strings.Join(missing, ", "), Breaks: "these limits of containers are discarded",
		Mend: []string{"put cgroup_enable=memory (for the rest, systemd.unified_cgroup_hierarchy=1) on the kernel's command line and reboot"}, Reboot: true,
	}, fmt.Sprintf("control groups: %s", strings.Join(f.Linux.Controllers, " ")))
}

// linuxForwarding is a hint alone: the daemon turns forwarding on when it makes a network.
func linuxForwarding(f Facts, _ Options) []Finding {
	return one(!f.Linux.Forwarding, Finding{
		ID: "forwarding", Severity: Hint, What: "net.ipv4.ip_forward is 0", Breaks: "nothing: xcd turns it on with its first network",
		Mend: []string{"sysctl net.ipv4.ip_forward=1"},
	}, "the host forwards IPv4")
}

package jailer

import (
	"slices"
	"strings"
)

// capAllows are the parameters below allow. that stand for a capability of Linux.
var capAllows = map[string][]string{
	"NET_RAW":          {"raw_sockets"},
	"NET_BIND_SERVICE": {"reserved_ports"},
	"IPC_LOCK":         {"mlock"},
	"SYS_TIME":         {"settime", "adjtime"},
	"SYS_PTRACE":       {"unprivileged_proc_debug"},
	"SYSLOG":           {"read_msgbuf"},
	"AUDIT_CONTROL":    {"setaudit"},
	"SYS_ADMIN":        {"mount"},
	"LINUX_IMMUTABLE":  {"chflags"},
}

// mounts are what SYS_ADMIN may mount, where the kernel has it at present.
var mounts = []string{"mount.devfs", "mount.fdescfs", "mount.nullfs", "mount.procfs", "mount.tmpfs", "mount.linprocfs", "mount.linsysfs", "mount.zfs"}

// never are capabilities that no jail can have.
var never = []string{"SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "SYS_NICE", "SYS_PACCT", "MKNOD", "MAC_ADMIN", "MAC_OVERRIDE", "WAKE_ALARM", "BLOCK_SUSPEND"}

// kept are capabilities that root in a jail has whatever is asked for.
var kept = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SYS_CHROOT", "ALL"}

// silent are capabilities that a jail has anyway, or that mean nothing here.
var silent = []string{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SYS_CHROOT", "ALL", "SETFCAP", "SETPCAP", "AUDIT_WRITE",
	"AUDIT_READ", "DAC_READ_SEARCH", "LEASE", "NET_ADMIN", "NET_BROADCAST", "IPC_OWNER", "SYS_RESOURCE", "SYS_TTY_CONFIG", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
}

// capName is a capability without its prefix, in capitals.
func capName(s string) string { return strings.TrimPrefix(strings.ToUpper(s), "CAP_") }

func isCapability(s string) bool {
	name := capName(s)
	_, mapped := capAllows[name]
	return mapped || slices.Contains(never, name) || slices.Contains(silent, name)
}

// allowed renders capabilities: what is allowed beyond the policy, and what of the policy is taken back.
func allowed(add, drop []string, privileged bool, knows func(string) bool) (allow, deny []string) {
	all := privileged || slices.ContainsFunc(add, func(c string) bool { return capName(c) == "ALL" })
	for name, params := range capAllows {
		if !all && !slices.ContainsFunc(add, func(c string) bool { return capName(c) == name }) {
			continue
		}
		if name == "SYS_ADMIN" {
			params = slices.Concat(params, mounts)
		}
		allow = append(allow, params...)
	}
	allow = slices.DeleteFunc(allow, func(p string) bool { return !knows("allow." + p) })
	slices.Sort(allow)
	for name, params := range capAllows {
		dropped := slices.ContainsFunc(drop, func(c string) bool { return capName(c) == name || capName(c) == "ALL" })
		added := slices.ContainsFunc(add, func(c string) bool { return capName(c) == name })
		if dropped && !added && !privileged && slices.Contains([]string{"NET_RAW", "NET_BIND_SERVICE", "LINUX_IMMUTABLE"}, name) {
			deny = append(deny, params...)
		}
	}
	slices.Sort(deny)
	return allow, deny
}

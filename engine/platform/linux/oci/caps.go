package oci

import (
	"fmt"
	"slices"
	"strings"
)

// capabilityNames holds every capability at its number (linux/capability.h of 6.12).
var capabilityNames = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// defaultCapabilities are Docker's, in its order (moby's oci/caps of v28).
var defaultCapabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
}

const allCapabilities = "ALL"

// capabilitiesIn lists the capabilities of a mask as /proc/<pid>/status shows it.
func capabilitiesIn(mask uint64) []string {
	var names []string
	for i, name := range capabilityNames {
		if mask&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// capabilities returns what a container gets of what is available, which is what this process itself has: it cannot pass
// on more.
func capabilities(add, drop []string, privileged bool, available []string) ([]string, error) {
	if privileged {
		return available, nil
	}
	add, err := normalizeCapabilities(add, available)
	if err != nil {
		return nil, fmt.Errorf("invalid CapAdd: %w", err)
	}
	drop, err = normalizeCapabilities(drop, nil)
	if err != nil {
		return nil, fmt.Errorf("invalid CapDrop: %w", err)
	}
	from := defaultCapabilities
	switch {
	case slices.Contains(add, allCapabilities):
		from, add = available, nil
	case slices.Contains(drop, allCapabilities):
		return add, nil
	}
	var caps []string
	for _, c := range from {
		if !slices.Contains(drop, c) && slices.Contains(available, c) {
			caps = append(caps, c)
		}
	}
	for _, c := range add {
		if !slices.Contains(caps, c) {
			caps = append(caps, c)
		}
	}
	return caps, nil
}

// normalizeCapabilities writes names in their long form and refuses those that do not exist and, unless available is nil,
// those that are not available.
func normalizeCapabilities(names, available []string) ([]string, error) {
	var normal []string
	for _, name := range names {
		name = strings.ToUpper(name)
		if name != allCapabilities && !strings.HasPrefix(name, "CAP_") {
			name = "CAP_" + name
		}
		switch {
		case name == allCapabilities:
		case !slices.Contains(capabilityNames, name):
			return nil, fmt.Errorf("unknown capability: %q", name)
		case available != nil && !slices.Contains(available, name):
			return nil, fmt.Errorf("capability not supported by your kernel or not available in the current environment: %q", name)
		}
		normal = append(normal, name)
	}
	return normal, nil
}

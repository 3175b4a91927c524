package oci

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
)

// unconfined is the word that turns a seccomp or AppArmor profile off.
const unconfined = "unconfined"

// options are the --security-opt values of one container, decoded.
type options struct {
	seccomp         string // "", "builtin", "unconfined" or a profile's JSON: clients send the file's content
	noNewPrivileges bool
	appArmor        string
	openSystemPaths bool  // systempaths=unconfined
	writableCgroups *bool // nil: as privileged
}

// parseOptions decodes --security-opt values; errors are in dockerd's words (moby's daemon_unix.go). SELinux labels are
// accepted and have no effect, as with a dockerd that runs without SELinux.
func parseOptions(given []string) (options, error) {
	var o options
	for _, opt := range given {
		if opt == "no-new-privileges" || opt == "writable-cgroups" {
			opt += "=true"
		}
		if opt == "disable" { // an old form of label=disable
			continue
		}
		sep := "="
		if !strings.Contains(opt, sep) {
			sep = ":"
		}
		key, value, ok := strings.Cut(opt, sep)
		if !ok {
			return o, fmt.Errorf("invalid --security-opt 1: %q", opt)
		}
		if err := o.set(key, value); err != nil {
			return o, fmt.Errorf("invalid --security-opt 2: %q", opt)
		}
	}
	return o, nil
}

func (o *options) set(key, value string) (err error) {
	switch key {
	case "label":
	case "seccomp":
		o.seccomp = value
	case "apparmor":
		o.appArmor = value
	case "no-new-privileges":
		o.noNewPrivileges, err = strconv.ParseBool(value)
	case "writable-cgroups":
		var on bool
		on, err = strconv.ParseBool(value)
		o.writableCgroups = &on
	case "systempaths":
		if value != unconfined {
			return fmt.Errorf("unknown value %q", value)
		}
		o.openSystemPaths = true
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return err
}

// The paths that Docker hides or makes read-only (moby's oci/defaults.go of v28.5).
var (
	maskedPaths = []string{
		"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
		"/sys/devices/virtual/powercap",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// systemPaths returns the masked and the read-only paths.
func systemPaths(s engine.Security, o options, h host) (masked, readonly []string) {
	if s.Privileged || o.openSystemPaths {
		return s.MaskedPaths, s.ReadonlyPaths
	}
	masked, readonly = s.MaskedPaths, s.ReadonlyPaths
	if masked == nil {
		masked = append(append(masked, maskedPaths...), h.thermalPaths...)
	}
	if readonly == nil {
		readonly = readonlyPaths
	}
	return masked, readonly
}

// seccompProfile returns the filter: none for a privileged container that asks for none.
func seccompProfile(s engine.Security, o options, caps []string, h host) (*specs.LinuxSeccomp, error) {
	switch {
	case o.seccomp == unconfined || s.Privileged && o.seccomp == "":
		return nil, nil
	case h.seccomp == nil && o.seccomp != "" && o.seccomp != "builtin":
		return nil, fmt.Errorf("seccomp is not enabled in your kernel, cannot run a custom seccomp profile")
	case h.seccomp == nil:
		return nil, nil
	}
	profile := o.seccomp
	if profile == "builtin" {
		profile = ""
	}
	return h.seccomp(profile, caps)
}

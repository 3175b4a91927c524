// Package linuxulator says what FreeBSD's Linux emulation (linux(4)) needs on a host, and what is missing.
package linuxulator

import (
	"fmt"
	"strconv"
	"strings"
)

// Release is the Linux version that Linux jails are given: what the emulation of FreeBSD 14 and 15 claims.
const Release = "5.15.0"

// State is what a host has.
type State struct {
	Modules  map[string]bool // loaded ones of Modules' names
	Fallback int             // kern.elf64.fallback_brand
}

// Modules are needed for Linux containers, in the order of loading.
var Modules = []string{"linux64", "linprocfs", "linsysfs", "fdescfs"}

// Finding is something that is missing, what it breaks, and the command that mends it.
type Finding struct {
	What, Breaks, Mend string
}

// What a finding can break.
const (
	BreaksAll  = "Linux images do not start"
	BreaksSome = "static Linux programs without a brand (Go, musl) do not start"
)

// brandLinux is ELFOSABI_LINUX.
const brandLinux = 3

// Check lists what is missing.
func Check(s State) []Finding {
	var found []Finding
	for _, m := range Modules {
		if !s.Modules[m] {
			found = append(found, Finding{
				What: fmt.Sprintf("the module %s is not loaded", m), Breaks: BreaksAll,
				Mend: fmt.Sprintf("kldload -n %s; sysrc kld_list+=%s", m, m),
			})
		}
	}
	if s.Fallback != brandLinux {
		found = append(found, Finding{
			What: fmt.Sprintf("kern.elf64.fallback_brand is %d", s.Fallback), Breaks: BreaksSome,
			Mend: "sysctl kern.elf64.fallback_brand=3; echo kern.elf64.fallback_brand=3 >> /etc/sysctl.conf",
		})
	}
	return found
}

// ParseModules reads what kldstat(8) prints: the names of the loaded files, without ".ko".
func ParseModules(out string) map[string]bool {
	loaded := map[string]bool{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		if _, err := strconv.Atoi(f[0]); err != nil {
			continue
		}
		loaded[strings.TrimSuffix(f[len(f)-1], ".ko")] = true
	}
	return loaded
}

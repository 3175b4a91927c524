package translate

import (
	"regexp"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// What the parts of a platform look like (github.com/containerd/platforms of dockerd 28.5). A system's version is not looked at.
var (
	osComponent = regexp.MustCompile(`^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]*)\))?$`)
	component   = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
)

// Platform reads "os[/arch[/variant]]", or an architecture alone. What is not said is the host's own.
func Platform(s string, host Host) (*engine.Platform, error) {
	parts := strings.Split(s, "/")
	system := osComponent.FindStringSubmatch(parts[0])
	if system == nil {
		return nil, invalidf("%q is an invalid OS component of %q: OSAndVersion specifier component must match %q: invalid argument", parts[0], s, osComponent)
	}
	for _, p := range parts[1:] {
		if !component.MatchString(p) {
			return nil, invalidf("%q is an invalid component of %q: platform specifier component must match %q: invalid argument", p, s, component)
		}
	}
	p := &engine.Platform{OS: normalOS(system[1]), Architecture: host.Arch}
	switch len(parts) {
	case 1:
		if !slices.Contains(systems, p.OS) {
			p.OS = host.OSType
			p.Architecture, p.Variant = normalArch(parts[0], "")
			if !slices.Contains(architectures, p.Architecture) {
				return nil, invalidf("%q: unknown operating system or architecture: invalid argument", s)
			}
		}
	case 2:
		p.Architecture, p.Variant = normalArch(parts[1], "")
	case 3:
		p.Architecture, p.Variant = normalArch(parts[1], parts[2])
	default:
		return nil, invalidf("%q: cannot parse platform specifier: invalid argument", s)
	}
	return p, nil
}

// Go's names, which are what a platform may be called by alone (GOOS and GOARCH of Go 1.26).
var systems = strings.Fields(`aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows`)

var architectures = strings.Fields(`386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x`)

func normalOS(s string) string {
	s = strings.ToLower(s)
	if s == "macos" {
		return "darwin"
	}
	return s
}

// normalArch maps the names of uname to Go's.
func normalArch(arch, variant string) (string, string) {
	arch, variant = strings.ToLower(arch), strings.ToLower(variant)
	switch arch {
	case "i386":
		arch, variant = "386", ""
	case "x86_64", "x86-64":
		arch = "amd64"
	case "aarch64":
		arch = "arm64"
	case "armhf":
		arch, variant = "arm", "v7"
	case "armel":
		arch, variant = "arm", "v6"
	}
	switch {
	case arch == "arm64" && (variant == "8" || variant == "v8"), arch == "amd64" && variant == "v1":
		variant = ""
	case arch == "arm" && variant == "":
		variant = "v7"
	case arch == "arm" && len(variant) == 1:
		variant = "v" + variant
	}
	return arch, variant
}

package imageformat

import (
	"slices"
	"strconv"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Platform is what an image runs on: operating system, architecture, variant in Go's words ("freebsd", "arm64", "v8").
type Platform = ocispec.Platform

// ParsePlatform reads "os", "os/arch" or "os/arch/variant", as --platform takes them. What is left out is host's.
func ParsePlatform(s string, host Platform) (Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) > 3 || slices.Contains(parts, "") {
		return Platform{}, invalid("platform", "%q is not os[/arch[/variant]]", s)
	}
	for _, p := range parts {
		if strings.Trim(strings.ToLower(p), "abcdefghijklmnopqrstuvwxyz0123456789_-.") != "" {
			return Platform{}, invalid("platform", "%q is not os[/arch[/variant]]", s)
		}
	}
	p := Platform{OS: parts[0]}
	switch len(parts) {
	case 1:
		// A lone word may be an architecture.
		if arch := normalArch(parts[0]); knownArch(arch) {
			p = Platform{OS: host.OS, Architecture: arch}
		} else {
			p.Architecture, p.Variant = host.Architecture, host.Variant
		}
	case 2:
		p.Architecture = parts[1]
	default:
		p.Architecture, p.Variant = parts[1], parts[2]
	}
	return Normalize(p), nil
}

// Normalize brings names to Go's: lower case, "x86_64" is "amd64", "aarch64" is "arm64", and a variant that is the
// architecture's plain form ("arm64/v8", "amd64/v1") is left out. The original xc wrote the system as "FreeBSD".
func Normalize(p Platform) Platform {
	p.OS = strings.ToLower(p.OS)
	if p.OS == "macos" {
		p.OS = "darwin"
	}
	p.Variant = strings.ToLower(p.Variant)
	arch := strings.ToLower(p.Architecture)
	switch arch {
	case "armhf":
		p.Variant = "v7"
	case "armel":
		p.Variant = "v6"
	}
	p.Architecture = normalArch(arch)
	switch {
	case p.Architecture == "arm64" && (p.Variant == "8" || p.Variant == "v8"),
		p.Architecture == "amd64" && p.Variant == "v1":
		p.Variant = ""
	case p.Architecture == "arm" && p.Variant == "":
		p.Variant = "v7"
	case p.Architecture == "arm" && len(p.Variant) == 1:
		p.Variant = "v" + p.Variant
	}
	return p
}

func normalArch(arch string) string {
	switch arch = strings.ToLower(arch); arch {
	case "x86_64", "x86-64":
		return "amd64"
	case "i386", "i486", "i586", "i686":
		return "386"
	case "aarch64":
		return "arm64"
	case "armhf", "armel":
		return "arm"
	case "powerpc64":
		return "ppc64"
	case "powerpc64le":
		return "ppc64le"
	}
	return arch
}

func knownArch(arch string) bool {
	switch arch {
	case "amd64", "386", "arm64", "arm", "riscv64", "ppc64", "ppc64le", "s390x", "loong64", "mips64", "mips64le":
		return true
	}
	return false
}

// FormatPlatform returns "os/arch[/variant]".
func FormatPlatform(p Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// Preference lists what a host can run, best first: its own system, and on FreeBSD Linux after it; for each the host's own
// variant of the architecture, then older ones.
func Preference(host Platform) []Platform {
	all := Wanted(host)
	if host = Normalize(host); host.OS == "freebsd" {
		host.OS = "linux"
		all = append(all, Wanted(host)...)
	}
	return all
}

// Wanted lists what fits a platform that was asked for by name, best first: that system only, the variant and older ones.
func Wanted(p Platform) []Platform {
	p = Normalize(p)
	var all []Platform
	for _, v := range variants(p.Architecture, p.Variant) {
		all = append(all, Platform{OS: p.OS, Architecture: p.Architecture, Variant: v})
	}
	return all
}

// variants lists a variant and those whose programs run on it too, newest first.
func variants(arch, variant string) []string {
	n, err := strconv.Atoi(strings.TrimPrefix(variant, "v"))
	switch {
	case arch == "arm" && err == nil && n <= 8:
		return countDown(n, 5)
	case arch == "amd64" && err == nil && n <= 9:
		return append(countDown(n, 2), "")
	case arch == "arm64" && variant != "":
		return []string{variant, ""}
	}
	return []string{variant}
}

func countDown(from, to int) []string {
	var all []string
	for ; from >= to; from-- {
		all = append(all, "v"+strconv.Itoa(from))
	}
	return all
}

// Rank returns the place of p in the preference, or -1 if it cannot be run. Of a wanted platform only what it states
// counts; os.version and os.features are not compared.
func Rank(preference []Platform, p Platform) int {
	p = Normalize(p)
	return slices.IndexFunc(preference, func(want Platform) bool {
		return want.OS == p.OS && want.Architecture == p.Architecture && want.Variant == p.Variant
	})
}

// Select returns the manifests of an index that fit the preference, best first, and after them those that state no
// platform: whether they fit only their configs can tell. Attestations and other artifacts fit nothing.
func (x Index) Select(preference []Platform) []Descriptor {
	type ranked struct {
		d    Descriptor
		rank int
	}
	var fit []ranked
	for _, d := range x.Manifests {
		if d.ArtifactType != "" || !IsManifest(d.MediaType) && !IsIndex(d.MediaType) {
			continue
		}
		switch {
		case d.Platform == nil:
			fit = append(fit, ranked{d, len(preference)})
		default:
			if r := Rank(preference, *d.Platform); r >= 0 {
				fit = append(fit, ranked{d, r})
			}
		}
	}
	slices.SortStableFunc(fit, func(a, b ranked) int { return a.rank - b.rank })
	all := make([]Descriptor, len(fit))
	for i, f := range fit {
		all[i] = f.d
	}
	return all
}

package oci

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
)

const (
	devShm         = "/dev/shm"
	defaultShmSize = 64 << 20
)

// defaultMounts are Docker's (moby's oci/defaults.go).
func defaultMounts() []specs.Mount {
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: devShm, Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777"}},
	}
}

// mounts renders the container's mounts: the system's, without those that the user's replace, then the user's and the
// engine's files, parents first.
func mounts(r request, h host) ([]specs.Mount, error) {
	own := map[string]bool{}
	for _, m := range r.Mounts {
		own[path.Clean(m.Target)] = true
	}
	all := systemMounts(r, h, own)
	given, err := givenMounts(r, h, own)
	if err != nil {
		return nil, err
	}
	all = append(all, given...)
	if r.Spec.ReadonlyRoot {
		lockMounts(all, own)
	}
	return all, nil
}

func systemMounts(r request, h host, own map[string]bool) []specs.Mount {
	var kept []specs.Mount
	for _, m := range defaultMounts() {
		if own[m.Destination] || own["/dev"] && strings.HasPrefix(m.Destination, "/dev/") {
			continue
		}
		switch m.Destination {
		case devShm:
			if r.Spec.Security.IpcMode == "none" {
				continue
			}
			if r.shm != "" {
				m = specs.Mount{Destination: devShm, Type: "bind", Source: r.shm, Options: []string{"rbind", "nosuid", "noexec", "nodev", "rprivate"}}
				break
			}
			m.Options = append(m.Options, fmt.Sprintf("size=%d", shmSize(r.Spec.Resources)))
		case "/sys":
			if r.Spec.Security.Privileged {
				m.Options = without(m.Options, "ro")
			}
		case "/sys/fs/cgroup":
			if writableCgroups(r) {
				m.Options = without(m.Options, "ro")
			}
		}
		kept = append(kept, m)
	}
	if r.withInit() {
		kept = append(kept, specs.Mount{Destination: initTarget, Type: "bind", Source: h.initPath, Options: []string{"bind", "ro"}})
	}
	return kept
}

func shmSize(r engine.Resources) int64 {
	if r.ShmSize > 0 {
		return r.ShmSize
	}
	return defaultShmSize
}

func writableCgroups(r request) bool {
	if w := r.options.writableCgroups; w != nil {
		return *w
	}
	return r.Spec.Security.Privileged
}

// givenMounts renders the user's mounts and the engine's files. A file whose place the user mounts over is left out.
func givenMounts(r request, h host, own map[string]bool) ([]specs.Mount, error) {
	var all []specs.Mount
	for _, m := range r.Mounts {
		out, err := givenMount(m, r, h)
		if err != nil {
			return nil, err
		}
		all = append(all, out)
	}
	for target, source := range r.Files {
		if own[path.Clean(target)] {
			continue
		}
		options := []string{"rbind", "rprivate"}
		if r.Spec.ReadonlyRoot {
			options = append(options, "ro")
		}
		all = append(all, specs.Mount{Destination: target, Type: "bind", Source: source, Options: options})
	}
	slices.SortFunc(all, func(a, b specs.Mount) int {
		if d := depth(a.Destination) - depth(b.Destination); d != 0 {
			return d
		}
		return strings.Compare(a.Destination, b.Destination)
	})
	return all, nil
}

func depth(target string) int { return strings.Count(strings.TrimRight(target, "/"), "/") }

func givenMount(m engine.Mount, r request, h host) (specs.Mount, error) {
	out := specs.Mount{Destination: m.Target, Source: m.Source, Type: "bind"}
	if m.Kind == engine.MountTmpfs {
		options, err := tmpfsOptions(m.Options)
		if m.ReadOnly {
			options = append(without(options, "rw"), "ro")
		}
		return specs.Mount{Destination: m.Target, Source: "tmpfs", Type: "tmpfs", Options: options}, err
	}
	out.Options = []string{"rbind"}
	if m.NonRecursive {
		out.Options = []string{"bind"}
	}
	if m.ReadOnly {
		word, err := readOnlyWord(m, r, h)
		if err != nil {
			return out, err
		}
		out.Options = append(out.Options, word)
	}
	propagation := m.Propagation
	if propagation == "" {
		propagation = "rprivate"
	}
	if m.NonRecursive {
		// There is nothing below that it could hold for, and crun (1.8) makes a recursive bind of one with a recursive propagation.
		propagation = strings.TrimPrefix(propagation, "r")
	}
	out.Options = append(out.Options, propagation)
	return out, nil
}

// readOnlyWord is how a read-only bind is asked for: with everything mounted below it where the runtime can and the user
// did not say otherwise.
func readOnlyWord(m engine.Mount, r request, h host) (string, error) {
	var asked engine.MountSpec
	for _, s := range r.Spec.Mounts {
		if s.Target == m.Target {
			asked = s
		}
	}
	switch {
	case asked.ReadOnlyForceRecursive && asked.ReadOnlyNonRecursive:
		return "", fmt.Errorf("mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive")
	case asked.ReadOnlyForceRecursive && !h.recursiveRO:
		return "", fmt.Errorf("rro is not supported by the OCI runtime or by the kernel (older than 5.12?)")
	case h.recursiveRO && !asked.ReadOnlyNonRecursive && !isFile(m.Source):
		return "rro", nil
	}
	return "ro", nil
}

// lockMounts makes the system's mounts read-only with the root, but for those that cannot work so.
func lockMounts(all []specs.Mount, own map[string]bool) {
	for i, m := range all {
		switch m.Destination {
		case "/proc", "/dev/pts", devShm, "/dev/mqueue", "/dev":
			continue
		}
		if !own[path.Clean(m.Destination)] && !slices.Contains(m.Options, "ro") {
			all[i].Options = append(m.Options, "ro")
		}
	}
}

func without(options []string, word string) []string {
	return slices.DeleteFunc(slices.Clone(options), func(o string) bool { return o == word })
}

// rootPropagation is what the root's mount must be so that a bind's propagation reaches the host.
func rootPropagation(all []engine.Mount) string {
	root := ""
	for _, m := range all {
		switch m.Propagation {
		case "shared", "rshared":
			return "shared"
		case "slave", "rslave":
			root = "rslave"
		}
	}
	return root
}

// isFile reports whether nothing can be mounted below a path. crun (1.8) takes what is to be recursive for a directory.
func isFile(source string) bool {
	info, err := os.Stat(source)
	return err == nil && !info.IsDir()
}

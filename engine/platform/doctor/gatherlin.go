package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine/internal/runner"
)

// gatherLinux finds what Linux has.
func (s Source) gatherLinux(ctx context.Context) Facts {
	f := s.gather(ctx, Defaults{ConfigFile: DefaultConfig, StateDir: "/var/lib/xc"})
	l := &Linux{Distribution: distribution(s.file("/etc/os-release").Text)}
	f.Linux = l
	l.Overlay = knowsFS(s.file("/proc/filesystems").Text, "overlay") || s.loadable(ctx, f, "overlay")
	l.NFTables = s.Filter()
	l.Forwarding = strings.TrimSpace(s.file("/proc/sys/net/ipv4/ip_forward").Text) == "1"
	if v2 := s.file("/sys/fs/cgroup/cgroup.controllers"); v2.Exists {
		l.Controllers = strings.Fields(v2.Text)
	} else {
		l.Controllers = controllers(s.file("/proc/cgroups").Text)
	}
	return f
}

// loadable reports whether modprobe(8) knows a module; the kernel asks for it by itself.
func (s Source) loadable(ctx context.Context, f Facts, module string) bool {
	path := f.Tools["modprobe"]
	if path == "" {
		return false
	}
	_, err := s.Run.Run(ctx, runner.Cmd{Argv: []string{path, "-n", "-q", module}})
	return err == nil
}

// distribution reads ID and ID_LIKE of os-release(5).
func distribution(text string) []string {
	var ids []string
	for _, key := range []string{"ID=", "ID_LIKE="} {
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), key); ok {
				ids = append(ids, strings.Fields(strings.Trim(v, `"'`))...)
			}
		}
	}
	return ids
}

// knowsFS reads /proc/filesystems.
func knowsFS(text, name string) bool { return slices.Contains(strings.Fields(text), name) }

// controllers reads /proc/cgroups: those that are enabled.
func controllers(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if w := strings.Fields(line); len(w) == 4 && w[3] == "1" {
			all = append(all, w[0])
		}
	}
	return all
}

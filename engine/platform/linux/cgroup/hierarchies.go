package cgroup

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// controllers are the names that a version 1 hierarchy's mount options can hold.
var controllers = []string{
	"blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "misc", "net_cls", "net_prio",
	"perf_event", "pids", "rdma",
}

// Hierarchies says where the host's hierarchies are mounted.
type Hierarchies struct {
	// V1 is the mount point of each version 1 controller; a hierarchy without one stands as "name=systemd".
	V1 map[string]string
	// V2 is where version 2 is mounted, or empty.
	V2 string
	// V2Controllers are the controllers that version 2 has.
	V2Controllers []string
}

// Find reads where hierarchies are mounted in this process's mount namespace. None at all is an error.
func Find() (Hierarchies, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return Hierarchies{}, err
	}
	defer f.Close()
	h, err := parseMounts(f)
	if err != nil {
		return Hierarchies{}, err
	}
	if h.V2 != "" {
		b, err := os.ReadFile(filepath.Join(h.V2, "cgroup.controllers"))
		if err != nil {
			return Hierarchies{}, err
		}
		h.V2Controllers = strings.Fields(string(b))
	}
	if h.V2 == "" && len(h.V1) == 0 {
		return h, errors.New("no control group hierarchy is mounted (mount one on /sys/fs/cgroup)")
	}
	return h, nil
}

// parseMounts reads the format of /proc/<pid>/mountinfo (proc_pid_mountinfo(5)). Of several mounts of one hierarchy the
// first counts.
func parseMounts(r io.Reader) (Hierarchies, error) {
	h := Hierarchies{V1: map[string]string{}}
	s := bufio.NewScanner(r)
	for s.Scan() {
		head, tail, ok := strings.Cut(s.Text(), " - ")
		fields, super := strings.Fields(head), strings.Fields(tail)
		if !ok || len(fields) < 5 || len(super) < 3 {
			continue
		}
		point := unescape(fields[4])
		switch super[0] {
		case "cgroup2":
			if h.V2 == "" {
				h.V2 = point
			}
		case "cgroup":
			for opt := range strings.SplitSeq(super[2], ",") {
				known := slices.Contains(controllers, opt) || strings.HasPrefix(opt, "name=")
				if _, seen := h.V1[opt]; known && !seen {
					h.V1[opt] = point
				}
			}
		}
	}
	return h, s.Err()
}

// unescape resolves the octal escapes that mountinfo uses for blanks and backslashes.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// Unified reports whether version 2 has the controllers: it is mounted and no version 1 controller is.
func (h Hierarchies) Unified() bool {
	for name := range h.V1 {
		if !strings.HasPrefix(name, "name=") {
			return false
		}
	}
	return h.V2 != ""
}

// Version is "2" when Unified, else "1", as Docker tells it.
func (h Hierarchies) Version() string {
	if h.Unified() {
		return "2"
	}
	return "1"
}

// Signature is a text that changes when the hierarchies do.
func (h Hierarchies) Signature() string {
	all := make([]string, 0, len(h.V1)+1)
	for name, point := range h.V1 {
		all = append(all, name+"="+point)
	}
	slices.Sort(all)
	return strings.Join(append(all, "2="+h.V2, strings.Join(h.V2Controllers, "+")), " ")
}

// points are the distinct mount points, sorted.
func (h Hierarchies) points() []string {
	var all []string
	for _, p := range h.V1 {
		all = append(all, p)
	}
	if h.V2 != "" {
		all = append(all, h.V2)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Group names the group at an absolute path in every hierarchy. It need not exist.
func (h Hierarchies) Group(path string) Group {
	return Group{h: h, path: filepath.Join("/", path)}
}

// Children names the groups directly below an absolute path in any hierarchy, sorted.
func (h Hierarchies) Children(path string) ([]string, error) {
	var names []string
	for _, point := range h.points() {
		entries, err := os.ReadDir(filepath.Join(point, path))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

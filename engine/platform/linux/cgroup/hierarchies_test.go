package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const hybridMounts = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/memory2 rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/uni\040fied rw,relatime - cgroup2 cgroup2 rw,nsdelegate
`

func TestParseMounts(t *testing.T) {
	got, err := parseMounts(strings.NewReader(hybridMounts))
	if err != nil {
		t.Fatal(err)
	}
	want := Hierarchies{
		V1: map[string]string{
			"cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
			"memory": "/sys/fs/cgroup/memory", "name=systemd": "/sys/fs/cgroup/systemd",
		},
		V2: "/sys/fs/cgroup/uni fied",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Unified() || got.Version() != "1" {
		t.Errorf("a hybrid host is version 1, got %s", got.Version())
	}
}

func TestUnified(t *testing.T) {
	for _, tc := range []struct {
		name  string
		h     Hierarchies
		value bool
	}{
		{"version 2 alone", Hierarchies{V2: "/c"}, true},
		{"with a named one", Hierarchies{V2: "/c", V1: map[string]string{"name=systemd": "/s"}}, true},
		{"version 1", Hierarchies{V1: map[string]string{"cpu": "/s"}}, false},
		{"nothing", Hierarchies{}, false},
	} {
		if got := tc.h.Unified(); got != tc.value {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add(hybridMounts)
	f.Add("1 2 3 - cgroup x y\n - \n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseMounts(strings.NewReader(text))
		if err == nil && h.V1 == nil {
			t.Error("no map")
		}
	})
}

// tree makes a directory tree of small files and returns its root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// v1 names the hierarchies of a made tree, one directory per controller.
func v1(root string, names ...string) Hierarchies {
	h := Hierarchies{V1: map[string]string{}}
	for _, n := range names {
		h.V1[n] = filepath.Join(root, n)
	}
	return h
}

func TestChildren(t *testing.T) {
	root := tree(t, map[string]string{"cpu/xc/a/f": "", "cpu/xc/file": "", "memory/xc/b/f": "", "memory/xc/a/f": ""})
	got, err := v1(root, "cpu", "memory", "pids").Children("/xc")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSignature(t *testing.T) {
	a := Hierarchies{V1: map[string]string{"cpu": "/a", "memory": "/b", "pids": "/c"}, V2: "/u", V2Controllers: []string{"hugetlb"}}
	b := a
	b.V2Controllers = nil
	if a.Signature() == b.Signature() {
		t.Error("a controller that moved does not show")
	}
}

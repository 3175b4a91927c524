package mount

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func text(t *testing.T, p Plan) []string {
	t.Helper()
	all, err := p.Render()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, w := range all {
		l, flags := w.Encode("/root" + w.Target)
		var b strings.Builder
		for _, pair := range l {
			b.WriteString(pair.Name)
			if pair.Value != nil {
				b.WriteString("=" + strings.TrimSuffix(string(pair.Value), "\x00"))
			}
			b.WriteString(" ")
		}
		for bit, name := range map[int]string{flagReadOnly: "RDONLY"} {
			if flags&bit != 0 {
				b.WriteString(name)
			}
		}
		if flags&flagNoSuid != 0 {
			b.WriteString("NOSUID")
		}
		lines = append(lines, strings.TrimSpace(b.String()))
	}
	return lines
}

func TestRender(t *testing.T) {
	for name, tc := range map[string]struct {
		plan Plan
		want []string
	}{
		"freebsd": {Plan{Ruleset: 1000}, []string{
			"fstype=devfs fspath=/root/dev from=devfs ruleset=1000",
			"fstype=fdescfs fspath=/root/dev/fd from=fdescfs",
		}},
		"linux": {Plan{Ruleset: 1000, Linux: true, ShmSize: 1 << 20}, []string{
			"fstype=devfs fspath=/root/dev from=devfs ruleset=1000",
			"fstype=linprocfs fspath=/root/proc from=linprocfs",
			"fstype=linsysfs fspath=/root/sys from=linsysfs",
			"fstype=fdescfs fspath=/root/dev/fd from=fdescfs linrdlnk",
			"fstype=tmpfs fspath=/root/dev/shm from=tmpfs mode=1777 size=1048576 NOSUID",
		}},
		"own": {Plan{Ruleset: 4, Mounts: []engine.Mount{
			{Kind: engine.MountVolume, Source: "/v/data/_data", Target: "/data/in"},
			{Kind: engine.MountBind, Source: "/srv", Target: "/data/", ReadOnly: true},
			{Kind: engine.MountImage, Source: "/s/root", Subpath: "etc", Target: "/image", ReadOnly: true},
			{Kind: engine.MountTmpfs, Target: "/tmp", Options: []string{"size=1m", "noexec", "nosuid", "mode=700", "uid=5", "nr_inodes=10"}},
		}}, []string{
			"fstype=devfs fspath=/root/dev from=devfs ruleset=4",
			"fstype=nullfs fspath=/root/data target=/srv RDONLY",
			"fstype=nullfs fspath=/root/image target=/s/root/etc RDONLY",
			"fstype=tmpfs fspath=/root/tmp from=tmpfs size=1048576 uid=5 inodes=10 mode=700 NOSUID",
			"fstype=fdescfs fspath=/root/dev/fd from=fdescfs",
			"fstype=nullfs fspath=/root/data/in target=/v/data/_data",
		}},
		"the user's in place of ours": {Plan{Ruleset: 4, Linux: true, Mounts: []engine.Mount{{Kind: engine.MountTmpfs, Target: "/dev/shm"}}}, []string{
			"fstype=devfs fspath=/root/dev from=devfs ruleset=4",
			"fstype=linprocfs fspath=/root/proc from=linprocfs",
			"fstype=linsysfs fspath=/root/sys from=linsysfs",
			"fstype=fdescfs fspath=/root/dev/fd from=fdescfs linrdlnk",
			"fstype=tmpfs fspath=/root/dev/shm from=tmpfs mode=1777",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, text(t, tc.plan)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefusedOptions(t *testing.T) {
	for _, o := range []string{"size=many", "mode=9", "uid=-1", "huge=always", "size=-5"} {
		p := Plan{Mounts: []engine.Mount{{Kind: engine.MountTmpfs, Target: "/t", Options: []string{o}}}}
		if _, err := p.Render(); engine.KindOf(err) != engine.Invalid {
			t.Errorf("%s: %v", o, err)
		}
	}
	p := Plan{Mounts: []engine.Mount{{Kind: "npipe", Target: "/t"}}}
	if _, err := p.Render(); engine.KindOf(err) != engine.NotImplemented {
		t.Errorf("a pipe: %v", err)
	}
}

func TestJournal(t *testing.T) {
	dir := t.TempDir()
	for _, target := range []string{"/a", "/a/with\nline feed", "/b"} {
		if err := note(dir, target); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, journalName), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`"/cut off`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	got, err := noted(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/b", "/a/with\nline feed", "/a"}, got); diff != "" {
		t.Error(diff)
	}
	if err := forget(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := noted(dir); err != nil || got != nil {
		t.Errorf("after forget: %v, %v", got, err)
	}
}

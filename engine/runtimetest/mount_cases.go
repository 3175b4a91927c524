package runtimetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
)

// HostDir makes a directory of the host with one file, "there".
func (b *Bench) HostDir(name string) string {
	b.t.Helper()
	dir := filepath.Join(b.state, "host", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "there"), []byte(name+"\n"), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return dir
}

func testBinds(t *testing.T, b *Bench) {
	outer, inner, locked := b.HostDir("outer"), b.HostDir("inner"), b.HostDir("locked")
	spec := b.Describe("sh", "-c", "cat /m/there /m/in/there /locked/there /file; write /m/new by container; write /locked/new no || echo locked")
	spec.Mounts = []engine.Mount{
		{Kind: engine.MountBind, Source: inner, Target: "/m/in"},
		{Kind: engine.MountVolume, Source: outer, Target: "/m"},
		{Kind: engine.MountBind, Source: locked, Target: "/locked", ReadOnly: true},
		{Kind: engine.MountBind, Source: filepath.Join(outer, "there"), Target: "/file"},
	}
	if out := b.Run(spec).Main.Wait(0); out != "outer\ninner\nlocked\nouter\nlocked\n" {
		t.Errorf("mounted: %q", out)
	}
	if got, err := os.ReadFile(filepath.Join(outer, "new")); err != nil || strings.TrimSpace(string(got)) != "by container" {
		t.Errorf("written through: %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(locked, "new")); err == nil {
		t.Error("a read-only bind was written")
	}
}

func testTmpfs(t *testing.T, b *Bench) {
	spec := b.Describe("sh", "-c", "stat /t; write /t/file text; cat /t/file")
	spec.Mounts = []engine.Mount{{Kind: engine.MountTmpfs, Target: "/t", Options: []string{"size=1m", "mode=0750"}}}
	c := b.Run(spec)
	out := c.Main.Wait(0)
	c.Remove() // where the host sees a container's mounts, it does so until then
	if !strings.Contains(out, " 750 0 0 ") || !strings.Contains(out, "text") {
		t.Errorf("tmpfs: %q", out)
	}
	if left, err := os.ReadDir(filepath.Join(spec.Root, "t")); err == nil && len(left) > 0 {
		t.Errorf("it was written to the root: %v", left)
	}
}

func testFiles(t *testing.T, b *Bench) {
	spec := b.Describe("cat", "/etc/hosts", "/etc/hostname")
	for _, name := range []string{"hosts", "hostname"} {
		file := filepath.Join(spec.Dir, name)
		if err := os.WriteFile(file, []byte("engine's "+name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		spec.Files["/etc/"+name] = file
	}
	if out := b.Run(spec).Main.Wait(0); out != "engine's hosts\nengine's hostname\n" {
		t.Errorf("files: %q", out)
	}
}

func testReadonlyRoot(t *testing.T, b *Bench) {
	spec := b.Describe("sh", "-c", "write /file text || echo locked; write /t/file text && echo open")
	spec.Spec.ReadonlyRoot = true
	spec.Mounts = []engine.Mount{{Kind: engine.MountTmpfs, Target: "/t"}}
	if out := b.Run(spec).Main.Wait(0); out != "locked\nopen\n" {
		t.Errorf("read-only root: %q", out)
	}
}

func testMountsStayInside(t *testing.T, b *Bench) {
	outside := b.HostDir("outside")
	for _, link := range []string{outside, "../../../../../../../../../.." + outside} {
		for _, ask := range []func(*engine.SandboxSpec){
			func(s *engine.SandboxSpec) {
				s.Mounts = []engine.Mount{{Kind: engine.MountTmpfs, Target: "/esc/made"}}
			},
			func(s *engine.SandboxSpec) {
				s.Mounts = []engine.Mount{{Kind: engine.MountBind, Source: filepath.Join(outside, "there"), Target: "/esc/made"}}
			},
			func(s *engine.SandboxSpec) { s.Spec.Process.WorkDir = "/esc/made" },
		} {
			spec := b.Describe("sh", "-c", "write /esc/made/file text; write /esc/file text")
			if err := os.Symlink(link, filepath.Join(spec.Root, "esc")); err != nil {
				t.Fatal(err)
			}
			ask(&spec)
			c := b.Create(spec)
			if err := c.Launch(); err == nil { // refusing is right, too
				c.Main.Status()
			}
			if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
				t.Fatalf("the link %s led out of the root: %v, %v", link, entries, err)
			}
		}
	}
}

package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

const portDir = "../port"

// programs are files in the place of built programs.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"ocitar", "xc", "xc-shim", "xcd", "mkpkg"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("program "+name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// share is what .ci/share makes, with a program in the place of xc.
func share(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	xc := filepath.Join(dir, "xc")
	if err := os.WriteFile(xc, []byte("#!/bin/sh\necho \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "share")
	if out, err := exec.Command("sh", "../../../../.ci/share", xc, to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return to
}

// The packing list has every manual page and completion that is made, and no other.
func TestPlistHasWhatIsShared(t *testing.T) {
	p, err := readPort(portDir)
	if err != nil {
		t.Fatal(err)
	}
	from := share(t)
	var made []string
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			made = append(made, "share"+strings.TrimPrefix(path, from))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := slices.DeleteFunc(slices.Clone(p.plist), func(path string) bool { return !strings.HasPrefix(path, "share/") })
	if diff := cmp.Diff(made, named); diff != "" {
		t.Errorf("below share (-made +named):\n%s", diff)
	}
	pages, err := filepath.Glob("../../../../docs/man/*.[0-9]")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		want := "share/man/man" + page[len(page)-1:] + "/" + filepath.Base(page) + ".gz"
		if !slices.Contains(named, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	if got := read(t, filepath.Join(from, "zsh/site-functions/_xc")); got != "completion zsh\n" {
		t.Errorf("zsh's completion is what xc gives for %q", got)
	}
}

type entry struct {
	header *tar.Header
	data   []byte
}

func unpack(t *testing.T, path string) []entry {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var all []entry
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{h, data})
	}
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return v
}

// The archive is as pkg(8) reads it: the manifests first, the compact one before the other, then files by absolute paths, each
// with its checksum in the manifest.
func TestPackage(t *testing.T) {
	out := filepath.Join(t.TempDir(), "xc.pkg")
	args := []string{"-port", portDir, "-programs", programs(t), "-share", share(t), "-version", "v1.2.3-4-gabcdef0", "-arch", "arm64", "-o", out}
	if err := run(args); err != nil {
		t.Fatal(err)
	}
	all := unpack(t, out)
	if len(all) < 3 || all[0].header.Name != "+COMPACT_MANIFEST" || all[1].header.Name != "+MANIFEST" {
		t.Fatalf("it begins with %v", all)
	}
	m := decode[map[string]any](t, all[1].data)
	sums, _ := m["files"].(map[string]any)
	modes := map[string]int64{}
	var flat float64
	for _, e := range all[2:] {
		h := e.header
		if h.Uname != "root" || h.Gname != "wheel" || h.Typeflag != tar.TypeReg {
			t.Errorf("%+v", h)
		}
		if want := (file{data: e.data}).sum(); sums[h.Name] != want {
			t.Errorf("%s: the manifest has %v, want %s", h.Name, sums[h.Name], want)
		}
		modes[h.Name] = h.Mode
		flat += float64(h.Size)
	}
	want := map[string]int64{
		"/usr/local/bin/ocitar": 0o755, "/usr/local/bin/xc": 0o755, "/usr/local/sbin/xcd": 0o755, "/usr/local/sbin/xc-shim": 0o755,
		"/usr/local/etc/rc.d/xcd": 0o555, "/usr/local/etc/xc.conf.sample": 0o644,
		"/usr/local/share/man/man5/xc.conf.5.gz": 0o644, "/usr/local/share/man/man8/xc.8.gz": 0o644, "/usr/local/share/man/man8/xcd.8.gz": 0o644,
		"/usr/local/share/bash-completion/completions/xc": 0o644, "/usr/local/share/zsh/site-functions/_xc": 0o644,
		"/usr/local/share/fish/vendor_completions.d/xc.fish": 0o644,
	}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if len(sums) != len(modes) || m["flatsize"] != flat {
		t.Errorf("%d sums, flatsize %v of %v", len(sums), m["flatsize"], flat)
	}
	for key, want := range map[string]any{
		"name": "xc", "origin": "sysutils/xc", "version": "1.2.3.4.gabcdef0", "abi": "FreeBSD:*:aarch64", "prefix": "/usr/local",
		"www": "https://github.com/xcengine/xc", "maintainer": "ports@FreeBSD.org",
	} {
		if m[key] != want {
			t.Errorf("%s is %v, want %v", key, m[key], want)
		}
	}
	short := decode[map[string]any](t, all[0].data)
	delete(m, "files")
	if diff := cmp.Diff(m, short); diff != "" {
		t.Errorf("the compact manifest is not the other without its files:\n%s", diff)
	}
	again := filepath.Join(t.TempDir(), "xc.pkg")
	args[len(args)-1], args[3] = again, programs(t)
	if err := run(args); err != nil {
		t.Fatal(err)
	}
	if a, b := read(t, out), read(t, again); a != b {
		t.Error("the same input gives different packages")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What is told at installation, upgrade and removal is all there, and holds nothing that libpkg would decode.
func TestMessages(t *testing.T) {
	p, err := readPort(portDir)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, m := range p.messages {
		types = append(types, m.Type)
		if strings.Contains(m.Message, "%") || m.Message == "" {
			t.Errorf("%+v", m)
		}
	}
	if diff := cmp.Diff([]string{"install", "upgrade", "remove"}, types); diff != "" {
		t.Error(diff)
	}
}

// The packing list names the programs that the build makes, and the port builds each of them to its place.
func TestPlistHasEveryProgram(t *testing.T) {
	p, err := readPort(portDir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("../../..")
	if err != nil {
		t.Fatal(err)
	}
	target := map[string]string{}
	for _, w := range strings.Fields(p.vars["GO_TARGET"]) {
		pkg, place, placed := strings.Cut(w, ":")
		name := strings.TrimPrefix(pkg, "./cmd/")
		if target[name] = "bin/" + name; placed {
			target[name] = strings.TrimPrefix(place, "${PREFIX}/")
		}
	}
	var named []string
	for _, path := range p.plist {
		if !strings.Contains(path, "bin/") {
			continue
		}
		named = append(named, filepath.Base(path))
		if target[filepath.Base(path)] != path {
			t.Errorf("the packing list has %s, the port makes %q", path, target[filepath.Base(path)])
		}
	}
	var made []string
	for _, e := range entries {
		made = append(made, e.Name())
	}
	slices.Sort(named)
	if diff := cmp.Diff(made, named); diff != "" {
		t.Errorf("programs (-made +named):\n%s", diff)
	}
	for _, script := range strings.Fields(p.vars["USE_RC_SUBR"]) {
		if text := read(t, filepath.Join(portDir, "files", script+".in")); !strings.Contains(text, "# PROVIDE: "+script+"\n") || !strings.Contains(text, "rcvar="+script+"_enable") {
			t.Errorf("%s does not provide itself", script)
		}
	}
}

func TestVersions(t *testing.T) {
	for describe, want := range map[string]string{
		"v1.2.3": "1.2.3", "v1.2.3-dirty": "1.2.3.dirty", "v0.1.0-12-g0123abc": "0.1.0.12.g0123abc", "0123abc": "0.0.g0123abc",
		"0123abc-dirty": "0.0.g0123abc.dirty",
	} {
		if got := pkgVersion(describe); got != want {
			t.Errorf("%s: %s, want %s", describe, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{},
		{"-port", portDir, "-programs", dir, "-version", "1.0", "-arch", "amd64", "-o", filepath.Join(dir, "a")},
		{"-port", portDir, "-programs", programs(t), "-version", "1.0", "-arch", "sparc64", "-o", filepath.Join(dir, "b")},
		{"-port", dir, "-programs", programs(t), "-version", "1.0", "-arch", "amd64", "-o", filepath.Join(dir, "c")},
	} {
		if err := run(args); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

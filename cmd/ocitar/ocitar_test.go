package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func ocitar(t *testing.T, stdin []byte, args ...string) (string, string, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), args, bytes.NewReader(stdin), &out, &errs)
	return out.String(), errs.String(), code
}

func write(t *testing.T, dir, name, data string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestALayerComesBack(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: a layer's owners are restored")
	}
	base, changed, into := t.TempDir(), t.TempDir(), t.TempDir()
	for _, dir := range []string{base, changed, into} {
		write(t, dir, "etc/stays", "same")
	}
	write(t, base, "etc/goes", "old")
	write(t, into, "etc/goes", "old")
	write(t, changed, "etc/comes", "new")
	for _, compression := range []string{"auto", "gzip", "zstd"} {
		file := filepath.Join(t.TempDir(), "layer")
		digests, errs, code := ocitar(t, nil, "-c", "-f", file, "-C", changed, "--base", base, "--compression", compression)
		if code != 0 || len(strings.Fields(digests)) != 2 {
			t.Fatalf("create: %d %q %q", code, digests, errs)
		}
		list, errs, code := ocitar(t, nil, "-tf", file)
		if code != 0 || !strings.Contains(list, "-\tetc/goes\n") || !strings.Contains(list, "+\tetc/comes\n") || strings.Contains(list, "stays") {
			t.Errorf("list: %d %q %q", code, list, errs)
		}
		out, errs, code := ocitar(t, nil, "extract", "-f", file, "-C", into, "--print-input-digest")
		if code != 0 || out != digests {
			t.Errorf("extract: %d, %q and %q, want %q", code, out, errs, digests)
		}
	}
	if _, err := os.Stat(filepath.Join(into, "etc/goes")); err == nil {
		t.Error("the removed file is still there")
	}
	if data, err := os.ReadFile(filepath.Join(into, "etc/comes")); err != nil || string(data) != "new" {
		t.Errorf("the new file: %q, %v", data, err)
	}
}

func TestThroughPipes(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: a layer's owners are restored")
	}
	from, into := t.TempDir(), t.TempDir()
	write(t, from, "a/b", "c")
	tarball, digests, code := ocitar(t, nil, "-cf-", "-C", from, "--compression", "zstd")
	if code != 0 {
		t.Fatal(digests)
	}
	out, errs, code := ocitar(t, []byte(tarball), "-xf-", "-C", into, "--print-input-digest")
	if code != 0 || out != digests {
		t.Errorf("extract: %d, %q and %q, want %q", code, out, errs, digests)
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{
		{"list", "-f", "/no/such/file"}, {"create", "--compression", "lzma"}, {"extract", "-C", "/no/such/dir"}, {"frobnicate"},
	} {
		if _, errs, code := ocitar(t, []byte("not a tar"), args...); code == 0 || !strings.HasPrefix(errs, "ocitar: ") {
			t.Errorf("%v: %d %q", args, code, errs)
		}
	}
}

package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
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

// A dataset's snapshots are directories below its mount point, wherever that is: a program that answers for zfs is enough.
func TestSnapshots(t *testing.T) {
	mount, bin := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin+":/bin:/usr/bin")
	write(t, bin, "zfs", "#!/bin/sh\n[ \"$*\" = 'get -H -o value mountpoint tank/a' ] || exit 9\necho "+mount+"\n")
	if err := os.Chmod(filepath.Join(bin, "zfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, mount, ".zfs/snapshot/init/etc/goes", "1")
	write(t, mount, ".zfs/snapshot/init/etc/stays", "1")
	write(t, mount, ".zfs/snapshot/now/etc/stays", "1")
	write(t, mount, ".zfs/snapshot/now/new name", "1")
	for _, c := range []struct{ flags, want string }{
		{"", "+\tetc/\n-\tetc/goes\n+\tnew name\n"},
		{"--no-oci", "+\tetc/\n+\tnew name\n"},
		{"--remove=/var/old --remove=top", "-\tvar/old\n-\ttop\n+\tetc/\n-\tetc/goes\n+\tnew name\n"},
	} {
		file := filepath.Join(t.TempDir(), "layer")
		args := append([]string{"-c", "-f", file, "--zfs-diff", "tank/a@init", "tank/a@now"}, strings.Fields(c.flags)...)
		if out, errs, code := ocitar(t, nil, args...); code != 0 {
			t.Fatalf("%v: %d %q %q", args, code, out, errs)
		}
		if list, _, _ := ocitar(t, nil, "-tf", file); list != c.want {
			t.Errorf("%s: %q, want %q", c.flags, list, c.want)
		}
	}
	for _, args := range [][]string{{"tank/a@init"}, {"tank/a@init", "tank/b@now"}, {"tank/a", "tank/a@now"}, {"tank/a@../x", "tank/a@now"}, {"tank/a@none", "tank/a@now"}, {"-p@a", "-p@b"}} {
		if _, errs, code := ocitar(t, nil, append([]string{"create", "-f", "/dev/null", "--zfs-diff", "--"}, args...)...); code == 0 || errs == "" {
			t.Errorf("%v: %d %q", args, code, errs)
		}
	}
}

func TestDryRun(t *testing.T) {
	dir := t.TempDir()
	out, errs, code := ocitar(t, nil, "--dry-run", "-v", "create", "-f", filepath.Join(dir, "x"), "--remove", "a")
	if want := "create --dry-run=true --file=" + filepath.Join(dir, "x") + " --remove=[a] --verbose=1\n"; code != 0 || out != want {
		t.Errorf("%d %q %q, want %q", code, out, errs, want)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v was made", left)
	}
}

// The original could add its own header with what a layer removes, whose length is always wrong. It is never written, and a
// layer that has it is refused before anything is made or removed.
func TestOriginalsHeader(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", "kept")
	made, errs, code := ocitar(t, nil, "create", "-f", "-", "-C", dir, "--no-ext", "--remove", "b")
	if code != 0 {
		t.Fatal(errs)
	}
	for r := tar.NewReader(strings.NewReader(made)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil || h.Typeflag == tar.TypeXGlobalHeader {
			t.Fatalf("%+v, %v", h, err)
		}
	}
	const record = `99 whiteouts={"version":1,"whiteouts":["a"]}`
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "PaxHeader/WhiteOuts0", Size: int64(len(record))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	raw := layer.Bytes()
	// The same entry as a global header, with the sum of the header as it is then.
	raw[156] = 'g'
	var sum int64
	copy(raw[148:156], "        ")
	for _, b := range raw[:512] {
		sum += int64(b)
	}
	copy(raw[148:156], fmt.Sprintf("%06o\x00 ", sum))
	if _, errs, code := ocitar(t, raw, "extract", "-f", "-", "-C", dir); code == 0 || !strings.Contains(errs, "invalid tar header") {
		t.Errorf("%d %q", code, errs)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "a")); string(got) != "kept" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{
		{"list", "-f", "/no/such/file"},
		{"create", "--compression", "lzma"},
		{"extract", "-C", "/no/such/dir"},
		{"frobnicate"},
		{"create", "-f", "/dev/null", "--remove", "/"},
		{"create", "-f", "/dev/null", "--remove", "a/.wh.b"},
		{"create", "a", "b"},
	} {
		if _, errs, code := ocitar(t, []byte("not a tar"), args...); code == 0 || !strings.HasPrefix(errs, "ocitar: ") {
			t.Errorf("%v: %d %q", args, code, errs)
		}
	}
}

package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/imageformat"
	. "github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("files of other owners, devices and overlay marks are made by root only")
	}
}

func apply(t testing.TB, root string, tar []byte, opts layer.ApplyOptions) (layer.Applied, error) {
	t.Helper()
	return layer.Apply(context.Background(), root, bytes.NewReader(tar), opts)
}

// applied applies layers one upon the other and describes the result.
func applied(t testing.TB, want Want, layers ...[]byte) map[string]string {
	t.Helper()
	root := t.TempDir()
	for _, l := range layers {
		if _, err := apply(t, root, l, layer.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := Tree(root, want)
	if err != nil {
		t.Fatal(err)
	}
	delete(tree, ".")
	return tree
}

func entry(typeflag byte, name string, edit func(*Entry)) Entry {
	e := Entry{Header: tar.Header{Typeflag: typeflag, Name: name, Mode: 0o644}}
	edit(&e)
	return e
}

var applyCases = []struct {
	name   string
	layers [][]Entry
	want   map[string]string
}{
	{"files and parents that are not described", [][]Entry{{File("a/b/c", "1"), File("/d", "2")}}, map[string]string{
		"a": "dir 0755", "a/b": "dir 0755", "a/b/c": `file "1" 0644`, "d": `file "2" 0644`,
	}},
	{"modes", [][]Entry{{Dir("t", 0o1777), File("s", "", 0o4755), File("g", "", 0o2711), Dir("g.d", 0o2750), File("o", "", 0)}}, map[string]string{
		"t": "dir 1777", "s": `file "" 4755`, "g": `file "" 2711`, "g.d": "dir 2750", "o": `file "" 0000`,
	}},
	{"whiteout", [][]Entry{
		{File("a", "1"), File("d/x", "1"), File("d/y", "1"), Symlink("l", "nowhere")},
		{File(".wh.a", ""), File("d/.wh.x", ""), File(".wh.l", ""), File(".wh.none", ""), File("no/dir/.wh.x", "")},
	}, map[string]string{"d": "dir 0755", "d/y": `file "1" 0644`}},
	{"whiteout of a directory", [][]Entry{{File("d/e/f", "1"), File("d2/e", "1")}, {File(".wh.d", "")}}, map[string]string{
		"d2": "dir 0755", "d2/e": `file "1" 0644`,
	}},
	{"whiteout spares what its own layer made", [][]Entry{
		{File("a", "1"), File("d/old", "1"), File("e/old", "1")},
		{File("a", "2"), File(".wh.a", ""), File("d/new", "2"), File(".wh.d", ""), File(".wh.e", ""), File("e/new", "2")},
	}, map[string]string{
		"a": `file "2" 0644`, "d": "dir 0755", "d/new": `file "2" 0644`, "e": "dir 0755", "e/new": `file "2" 0644`,
	}},
	{"opaque directory, mark first and mark last", [][]Entry{
		{File("d/old", "1"), File("d/sub/old", "1"), File("e/old", "1"), File("e/sub/old", "1")},
		{Dir("d"), File("d/.wh..wh..opq", ""), File("d/new", "2"), Dir("e"), File("e/new", "2"), File("e/sub/new", "2"), File("e/.wh..wh..opq", "")},
	}, map[string]string{
		"d": "dir 0755", "d/new": `file "2" 0644`, "e": "dir 0755", "e/new": `file "2" 0644`, "e/sub": "dir 0755", "e/sub/new": `file "2" 0644`,
	}},
	{"notes of aufs", [][]Entry{{File(".wh..wh.aufs", ""), Dir(".wh..wh.orph"), Dir(".wh..wh.plnk")}}, map[string]string{}},
	{"the layer wins over what is there", [][]Entry{
		{File("d/x/y", "1"), File("f", "1"), Symlink("l", "f"), Dir("m", 0o700), File("m/keep", "1")},
		{File("d", "2"), File("f/now/dir", "2"), File("l", "2"), Dir("m", 0o711), Symlink("d2", "m")},
		{Dir("d2")},
	}, map[string]string{
		"d": `file "2" 0644`, "f": "dir 0755", "f/now": "dir 0755", "f/now/dir": `file "2" 0644`, "l": `file "2" 0644`,
		"m": "dir 0711", "m/keep": `file "1" 0644`, "d2": "dir 0755",
	}},
	{"the same name twice", [][]Entry{{
		File("a", "1"), File("a", "2"), File("b", "1"), Dir("b"), File("b/c", "3"), File("e", "1"), File("e/f", "2"), Dir("g"), File("g/h", "1"), File("g", "4"),
	}}, map[string]string{
		"a": `file "2" 0644`, "b": "dir 0755", "b/c": `file "3" 0644`, "e": "dir 0755", "e/f": `file "2" 0644`, "g": `file "4" 0644`,
	}},
	{"links on the way stay inside", [][]Entry{{
		Dir("usr/lib"), Symlink("lib", "/usr/lib"), File("lib/a", "1"), Symlink("up", "../../../usr"), File("up/b", "2"),
		Symlink("usr/self", "lib/../.."), File("usr/self/c", "3"), Symlink("deep", "new/dir"), File("deep/d", "4"),
	}}, map[string]string{
		"usr": "dir 0755", "usr/lib": "dir 0755", "lib": "link -> /usr/lib 0777", "usr/lib/a": `file "1" 0644`, "up": "link -> ../../../usr 0777",
		"usr/b": `file "2" 0644`, "usr/self": "link -> lib/../.. 0777", "c": `file "3" 0644`, "deep": "link -> new/dir 0777",
		"new": "dir 0755", "new/dir": "dir 0755", "new/dir/d": `file "4" 0644`,
	}},
	{"a link on the way is replaced", [][]Entry{{
		Dir("x"), Symlink("l", "x"), File("l/1", "1"), File("l", "2"), Dir("l"), File("l/3", "3"),
	}}, map[string]string{"x": "dir 0755", "x/1": `file "1" 0644`, "l": "dir 0755", "l/3": `file "3" 0644`}},
	{"hard links", [][]Entry{
		{File("a", "1", 0o755), Link("b", "a"), Link("d/c", "/b"), Symlink("s", "a"), Link("s2", "s")},
		{Link("e", "a"), File("b", "2"), Link("new", "b")},
	}, map[string]string{
		"a": `file "1" 0755`, "b": `file "2" 0644`, "d": "dir 0755", "d/c": `file "1" 0755 = a`, "e": `file "1" 0755 = a`,
		"s": "link -> a 0777", "s2": "link -> a 0777 = s", "new": `file "2" 0644 = b`,
	}},
	{"names that climb", [][]Entry{{File("../../a", "1"), File("/x/../../b", "2"), File("./c", "3"), Dir("./"), Dir("/"), Dir("..")}}, map[string]string{
		"a": `file "1" 0644`, "b": `file "2" 0644`, "c": `file "3" 0644`,
	}},
	{"kinds", [][]Entry{{
		entry(tar.TypeFifo, "fifo", func(e *Entry) { e.Mode = 0o620 }),
		entry(tar.TypeChar, "null", func(e *Entry) { e.Mode, e.Devmajor, e.Devminor = 0o666, 1, 3 }),
		entry(tar.TypeBlock, "disk", func(e *Entry) { e.Mode, e.Devmajor, e.Devminor = 0o640, 259, 300 }),
		entry(tar.TypeCont, "cont", func(*Entry) {}),
	}}, map[string]string{"fifo": "fifo 0620", "null": "char 1/3 0666", "disk": "block 259/300 0640", "cont": `file "" 0644`}},
	{"global header", [][]Entry{{
		File("pax_global_header", "keep"),
		{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "x"}}},
	}}, map[string]string{"pax_global_header": `file "keep" 0644`}},
	{"long names", [][]Entry{{
		File(strings.Repeat("d/", 100)+strings.Repeat("n", 255), "1"), Symlink("l", strings.Repeat("t/", 500)),
	}}, longNames()},
	{"nothing", [][]Entry{{}}, map[string]string{}},
}

func longNames() map[string]string {
	want := map[string]string{"l": "link -> " + strings.Repeat("t/", 500) + " 0777"}
	dir := ""
	for range 100 {
		dir += "d"
		want[dir] = "dir 0755"
		dir += "/"
	}
	want[dir+strings.Repeat("n", 255)] = `file "1" 0644`
	return want
}

func TestApply(t *testing.T) {
	needRoot(t)
	for _, c := range applyCases {
		t.Run(c.name, func(t *testing.T) {
			var tars [][]byte
			for _, l := range c.layers {
				tars = append(tars, Tar(l...))
			}
			if diff := cmp.Diff(c.want, applied(t, 0, tars...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestApplyKeepsAttributes(t *testing.T) {
	needRoot(t)
	when := time.Date(2001, 2, 3, 4, 5, 6, 789_000_001, time.UTC)
	set := func(e Entry, xattrs map[string]string) Entry {
		e.Uid, e.Gid, e.ModTime, e.Format = 1234, 70000, when, tar.FormatPAX
		e.PAXRecords = map[string]string{}
		for k, v := range xattrs {
			e.PAXRecords["SCHILY.xattr."+k] = v
		}
		return e
	}
	capability := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	got := applied(t, All, Tar(
		set(File("f", "x", 0o4755), map[string]string{"user.k": "v\x00w"}),
		set(File("ping", "x", 0o755), map[string]string{"security.capability": capability}),
		set(Dir("d", 0o2755), map[string]string{"user.d": "1", "trusted.overlay.opaque": "y", "trusted.overlay.redirect": "/etc"}),
		File("d/child", "y"), set(Symlink("l", "f"), nil), set(File("old", ""), nil),
		entry(tar.TypeReg, "epoch", func(e *Entry) { e.ModTime = time.Unix(0, 0) }),
		entry(tar.TypeReg, "before", func(e *Entry) { e.ModTime = time.Unix(-1000, 0) }),
	))
	const at = "1234:70000 981173106.789000001"
	want := map[string]string{
		"f": `file "x" 4755 ` + at + ` user.k="v\x00w"`, "ping": `file "x" 0755 ` + at + fmt.Sprintf(" security.capability=%q", capability),
		"d": "dir 2755 " + at + ` user.d="1"`, "d/child": `file "y" 0644 0:0 1709294400.000000000`, "l": "link -> f 0777 " + at,
		"old": `file "" 0644 ` + at, "epoch": `file "" 0644 0:0 0.000000000`, "before": `file "" 0644 0:0 -1000.000000000`,
	}
	if runtime.GOOS == "freebsd" {
		want["ping"] = `file "x" 0755 ` + at // there are no capabilities
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if runtime.GOOS != "linux" {
		return
	}
	for _, name := range []string{"trusted.overlay.opaque", "trusted.overlay.redirect"} {
		root := t.TempDir()
		e := set(Dir("d"), map[string]string{name: "y"})
		if _, err := apply(t, root, Tar(e), layer.ApplyOptions{Overlay: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Lgetxattr(root+"/d", name, nil); err == nil {
			t.Errorf("a layer could set %s", name)
		}
	}
}

// TestApplyLeavesTimes: a directory that a layer only reaches into keeps its time.
func TestApplyLeavesTimes(t *testing.T) {
	needRoot(t)
	when := time.Unix(1_500_000_000, 5)
	dir := Dir("d")
	dir.ModTime, dir.Format = when, tar.FormatPAX
	got := applied(t, Times, Tar(dir, File("d/a", "")), Tar(File("d/b", ""), File("d/.wh.a", "")))
	if want := "dir 0755 1500000000.000000005"; got["d"] != want {
		t.Errorf("got %s, want %s", got["d"], want)
	}
}

func TestApplyRoot(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	e := Dir("./", 0o1711)
	e.Uid, e.Gid = 5, 6
	if _, err := apply(t, root, Tar(e, File("a", "")), layer.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	tree, err := Tree(root, All)
	if err != nil {
		t.Fatal(err)
	}
	if want := "dir 1711 5:6 1709294400.000000000"; tree["."] != want {
		t.Errorf("got %s, want %s", tree["."], want)
	}
}

func TestApplySparse(t *testing.T) {
	needRoot(t)
	tar := readGolden(t, "sparse.tar")
	root := t.TempDir()
	if _, err := apply(t, root, tar, layer.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old-gnu", "pax-0.1", "pax-1.0"} {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(root, name), &st); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != 8<<20 || string(b[4<<20:4<<20+6]) != "middle" || bytes.Count(b, []byte{0}) != len(b)-6 {
			t.Errorf("%s: content is wrong", name)
		}
		if st.Blocks*512 > 1<<20 {
			t.Errorf("%s: %d bytes on disk, the holes were filled", name, st.Blocks*512)
		}
	}
}

func readGolden(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, _, err := layer.Decompress(f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestApplyOverlay(t *testing.T) {
	needRoot(t)
	if runtime.GOOS != "linux" {
		t.Skip("overlayfs' marks are Linux'")
	}
	root := t.TempDir()
	got, err := apply(t, root, Tar(
		File("d/.wh.gone", ""), Dir("o"), File("o/.wh..wh..opq", ""), File("o/new", "1"), File(".wh.again", ""), Dir("again"),
		Dir("mine"), File(".wh.mine", ""), File(".wh.f", ""), File("f", "2"), Link("linked", "lower/file"), Dir("d/late"),
		File("imp/x", ""), Dir("imp"), File("imp2/x", ""),
	), layer.ApplyOptions{Overlay: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{".", "d", "imp2"}, got.Implied); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]layer.Link{{Name: "linked", Target: "lower/file"}}, got.Unlinked); diff != "" {
		t.Error(diff)
	}
	tree, err := Tree(root, 0)
	if err != nil {
		t.Fatal(err)
	}
	if tree["d/gone"] != "char 0/0 0000" || tree["f"] != `file "2" 0644` || tree["again"] != "dir 0755" {
		t.Errorf("got %v", tree)
	}
	for name, want := range map[string]bool{"o": true, "again": true, "mine": true, "d": false, "imp": false} {
		var v [1]byte
		n, _ := unix.Lgetxattr(filepath.Join(root, name), "trusted.overlay.opaque", v[:])
		if opaque := n == 1 && v[0] == 'y'; opaque != want {
			t.Errorf("%s: opaque is %v", name, opaque)
		}
	}
}

func TestApplyChecks(t *testing.T) {
	needRoot(t)
	good := Tar(File("a", strings.Repeat("x", 5000)), File("b", "1"))
	isFormat := func(err error) bool { var e *imageformat.Error; return errors.As(err, &e) }
	isDigest := func(err error) bool { var e *layer.DigestError; return errors.As(err, &e) }
	tooLarge := func(err error) bool { return errors.Is(err, layer.ErrTooLarge) }
	for _, c := range []struct {
		name string
		tar  []byte
		opts layer.ApplyOptions
		want func(error) bool
	}{
		{"good", good, layer.ApplyOptions{DiffID: digest.FromBytes(good)}, func(err error) bool { return err == nil }},
		{"sha512", good, layer.ApplyOptions{DiffID: digest.SHA512.FromBytes(good)}, func(err error) bool { return err == nil }},
		{"other digest", good, layer.ApplyOptions{DiffID: digest.FromString("")}, isDigest},
		{"no digest", good, layer.ApplyOptions{DiffID: "sha256:../../x"}, isFormat},
		{"trailing bytes count", append(bytes.Clone(good), 0), layer.ApplyOptions{DiffID: digest.FromBytes(good)}, isDigest},
		{"cut off", good[:3000], layer.ApplyOptions{}, isFormat},
		{"no tar", []byte(strings.Repeat("no tar ", 200)), layer.ApplyOptions{}, isFormat},
		{"stream too long", good, layer.ApplyOptions{MaxBytes: 6000}, tooLarge},
		{"files too large", Tar(File("a", "1"), File("b", "22")), layer.ApplyOptions{MaxBytes: 2}, tooLarge},
		{"too many", good, layer.ApplyOptions{MaxEntries: 1}, tooLarge},
		{"bad whiteouts", Tar(File("d/.wh...", "")), layer.ApplyOptions{}, isFormat},
		{"whiteout of itself", Tar(File("d/.wh..", "")), layer.ApplyOptions{}, isFormat},
		{"whiteout of nothing", Tar(File("d/.wh.", "")), layer.ApplyOptions{}, isFormat},
		{"root is a file", Tar(File("/.", "")), layer.ApplyOptions{}, isFormat},
		{"link to the root", Tar(Link("a", "/")), layer.ApplyOptions{}, isFormat},
		{"link to nothing", Tar(Link("a", "b")), layer.ApplyOptions{}, func(err error) bool { return errors.Is(err, os.ErrNotExist) }},
		{"links in a circle", Tar(Symlink("a", "b"), Symlink("b", "a"), File("a/x", "")), layer.ApplyOptions{}, isFormat},
		{"too deep", Tar(File(strings.Repeat("d/", 1000)+"x", "")), layer.ApplyOptions{}, isFormat},
		{"unknown type", Tar(entry('Z', "a", func(*Entry) {})), layer.ApplyOptions{}, isFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := apply(t, t.TempDir(), c.tar, c.opts); !c.want(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestApplyStaysInside: every way out that a tar can try ends inside the root.
func TestApplyStaysInside(t *testing.T) {
	needRoot(t)
	for name, entries := range map[string][]Entry{
		"climbing names":     {File("../victim/f", "x"), File("/../victim/f", "x"), Dir("../victim", 0o700)},
		"link up":            {Symlink("l", ".."), File("l/victim/f", "x"), File("l/new", "x")},
		"absolute link":      {Symlink("l", "VICTIM"), File("l/f", "x"), File("l/new", "x"), Dir("l/d")},
		"link to a link":     {Symlink("a", "b"), Symlink("b", "VICTIM"), File("a/f", "x")},
		"link at the end":    {Symlink("l", "VICTIM/f"), File("l", "x")},
		"dir over link":      {Symlink("l", "VICTIM"), Dir("l", 0o700)},
		"hard link out":      {Link("l", "../victim/f"), File("l", "x")},
		"hard link abs":      {Link("l", "VICTIM/f")},
		"hard link through":  {Symlink("s", "VICTIM"), Link("l", "s/f"), File("l", "x")},
		"hard link to link":  {Symlink("s", "VICTIM/f"), Link("l", "s"), File("l", "x", 0o777)},
		"whiteout out":       {File("../victim/.wh.f", "")},
		"whiteout through":   {Symlink("l", "VICTIM"), File("l/.wh.f", "")},
		"opaque through":     {Symlink("l", "VICTIM"), File("l/.wh..wh..opq", "")},
		"opaque out":         {File("../victim/.wh..wh..opq", "")},
		"whiteout of a link": {Symlink("l", "VICTIM"), File(".wh.l", "")},
		"whiteout dir link":  {Dir("d"), Symlink("d/l", "VICTIM"), File("d/.wh..wh..opq", "")},
		"fifo through":       {Symlink("l", "VICTIM"), entry(tar.TypeFifo, "l/f", func(*Entry) {})},
		"link through":       {Symlink("l", "VICTIM"), Symlink("l/f", "x")},
		"xattr through":      {Symlink("l", "VICTIM/f"), entry(tar.TypeSymlink, "l2", func(e *Entry) { e.Linkname = "VICTIM/f"; e.PAXRecords = map[string]string{"SCHILY.xattr.user.x": "1"} })},
		"parent replaced":    {Dir("d"), File("d/x", ""), Symlink("d", "VICTIM"), File("d/f", "x")},
		"parent replaced 2":  {Dir("d/e"), File("d/e/x", ""), Symlink("d", ".."), File("d/victim/f", "x")},
		"whiteout then link": {Dir("d"), File("d/x", ""), File(".wh.d", ""), Symlink("d", "VICTIM"), File("d/f", "x")},
	} {
		for _, overlay := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, overlay), func(t *testing.T) {
				stage := t.TempDir()
				victim, root := filepath.Join(stage, "victim"), filepath.Join(stage, "root")
				for _, d := range []string{victim, root} {
					if err := os.Mkdir(d, 0o755); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(filepath.Join(victim, "f"), []byte("precious"), 0o600); err != nil {
					t.Fatal(err)
				}
				before, err := Tree(victim, All)
				if err != nil {
					t.Fatal(err)
				}
				for i := range entries {
					entries[i].Linkname = strings.ReplaceAll(entries[i].Linkname, "VICTIM", victim)
				}
				_, err = apply(t, root, Tar(entries...), layer.ApplyOptions{Overlay: overlay})
				t.Logf("result: %v", err)
				after, err := Tree(victim, All)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, after); diff != "" {
					t.Error(diff)
				}
				if left, _ := os.ReadDir(stage); len(left) != 2 {
					t.Errorf("made beside the root: %v", left)
				}
			})
		}
	}
}

func TestApplyManyFiles(t *testing.T) {
	needRoot(t)
	var entries []Entry
	want := map[string]string{}
	for i := range 3000 {
		d := fmt.Sprintf("d%d", i%400)
		name, body := fmt.Sprintf("%s/f%d", d, i), strings.Repeat(fmt.Sprint(i), i%20)
		entries = append(entries, File(name, body))
		if i%7 == 0 {
			entries = append(entries, File(name, body+"!"))
			body += "!"
		}
		want[d] = "dir 0755"
		want[name] = fmt.Sprintf("file %q 0644", body)
		if len(body) > 32 {
			delete(want, name)
		}
	}
	big := strings.Repeat("0123456789abcdef", 1<<16)
	entries = append(entries, File("big", big))
	got := applied(t, 0, Tar(entries...))
	for name, w := range want {
		if got[name] != w {
			t.Fatalf("%s: got %s, want %s", name, got[name], w)
		}
	}
	if len(got) != 3000+400+1 {
		t.Errorf("%d files", len(got))
	}
}

func TestApplyEndsWithItsContext(t *testing.T) {
	needRoot(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := layer.Apply(ctx, t.TempDir(), bytes.NewReader(Tar(File("a", "1"))), layer.ApplyOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

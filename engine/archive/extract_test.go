package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// entry is one member for pour.
type entry struct {
	name, content, link string
	kind                byte
	mode                int64
	uid                 int
}

func pour(t *testing.T, entries ...entry) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: e.mode, Uid: e.uid, Gid: e.uid, Size: int64(len(e.content)), ModTime: time.Unix(1000000000, 0)}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func dir(name string) entry      { return entry{name: name, kind: tar.TypeDir} }
func link(name, to string) entry { return entry{name: name, kind: tar.TypeSymlink, link: to} }
func file(name, text string) entry {
	return entry{name: name, kind: tar.TypeReg, content: text, mode: 0o644}
}

func TestWrite(t *testing.T) {
	for _, c := range []struct {
		name    string
		have    []string
		at      string
		members []entry
		options engine.ExtractOptions
		want    map[string]string // path → content, "/" for a directory, "" for nothing
		err     string
	}{
		{name: "replaces files and merges directories", have: []string{"d/", "d/keep = k", "d/f = old"}, at: "/", members: []entry{dir("d/"), file("d/f", "new")}, want: map[string]string{"d/keep": "k", "d/f": "new"}},
		{name: "makes what is implied", at: "/", members: []entry{file("a/b/c", "x")}, want: map[string]string{"a/b/c": "x"}},
		{name: "replaces a directory", have: []string{"d/", "d/x = y"}, at: "/", members: []entry{file("d", "f")}, want: map[string]string{"d": "f"}},
		{name: "replaces by a directory", have: []string{"d = y"}, at: "/", members: []entry{dir("d/"), file("d/f", "f")}, want: map[string]string{"d/f": "f"}},
		{name: "keeps a directory when told", have: []string{"d/", "d/x = y"}, at: "/", members: []entry{file("d", "f")}, options: engine.ExtractOptions{NoOverwriteDirNonDir: true}, want: map[string]string{"d/x": "y"}, err: `cannot overwrite directory "/d" with non-directory "/"`},
		{name: "keeps a file when told", have: []string{"t/", "t/d = y"}, at: "/t", members: []entry{dir("d")}, options: engine.ExtractOptions{NoOverwriteDirNonDir: true}, want: map[string]string{"t/d": "y"}, err: `cannot overwrite non-directory "/t/d" with directory "/t"`},
		{name: "extracts at a link's end", have: []string{"real/", "l -> /real"}, at: "/l", members: []entry{file("f", "x")}, want: map[string]string{"real/f": "x"}},
		{name: "follows a parent's link inside", have: []string{"real/", "l -> ../../real"}, at: "/", members: []entry{file("l/f", "x")}, want: map[string]string{"real/f": "x"}},
		{name: "replaces a link, not its end", have: []string{"real = r", "l -> real"}, at: "/", members: []entry{file("l", "x")}, want: map[string]string{"real": "r", "l": "x"}},
		{name: "takes absolute names as relative", have: []string{"d/"}, at: "/d", members: []entry{file("/e/f", "x")}, want: map[string]string{"d/e/f": "x"}},
		{name: "refuses names outside", have: []string{"d/"}, at: "/d", members: []entry{file("../../e", "x")}, want: map[string]string{"e": ""}, err: `"../../e" is outside of "/d"`},
		{name: "refuses hard links outside", have: []string{"d/", "f = x"}, at: "/d", members: []entry{{name: "g", kind: tar.TypeLink, link: "../f"}}, want: map[string]string{"d/g": ""}, err: `invalid hardlink "g" -> "../f"`},
		{name: "has nothing outside of the root", at: "/", members: []entry{file("../../e", "x"), file("a/../../f", "y"), {name: "g", kind: tar.TypeLink, link: "../e"}}, want: map[string]string{"e": "x", "f": "y", "g": "x"}},
		{name: "takes names that come back", have: []string{"d/"}, at: "/d", members: []entry{file("../d/e", "x")}, want: map[string]string{"d/e": "x"}},
		{name: "refuses a neighbour of the same beginning", have: []string{"d/", "dd/"}, at: "/d", members: []entry{file("../dd/e", "x")}, want: map[string]string{"dd/e": ""}, err: `"../dd/e" is outside of "/d"`},
		{name: "makes hard links", have: []string{"d/"}, at: "/d", members: []entry{file("s/f", "x"), {name: "g", kind: tar.TypeLink, link: "s/f"}}, want: map[string]string{"d/g": "x"}},
		{name: "not a directory", have: []string{"f = x"}, at: "/f", members: []entry{file("g", "x")}, err: "extraction point is not a directory"},
		{name: "not there", at: "/none", members: []entry{file("g", "x")}, err: "not found"},
		{name: "a kind that cannot be made", at: "/", members: []entry{{name: "x", kind: 'Z'}}, err: "unhandled tar header type 90"},
		{name: "dot is left alone", have: []string{"d/"}, at: "/d", members: []entry{{name: "./", kind: tar.TypeDir, mode: 0o700, uid: 5}, file("./f", "x")}, want: map[string]string{"d/f": "x"}},
		{name: "nothing", at: "/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			plant(t, root, c.have...)
			for i := range c.members {
				c.members[i].uid += os.Getuid()
			}
			err := Files{}.Write(t.Context(), rootOf(root), c.at, pour(t, c.members...), c.options)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
			for name, want := range c.want {
				got, err := os.ReadFile(filepath.Join(root, name))
				if string(got) != want || (err != nil) != (want == "") {
					t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
				}
			}
		})
	}
}

func TestWriteNeverLeavesTheRoot(t *testing.T) {
	outside := t.TempDir()
	plant(t, outside, "f = host")
	for name, c := range map[string]struct {
		have    []string
		members []entry
	}{
		"link in the root":          {[]string{"l -> " + outside}, []entry{file("l/g", "x"), file("l/f", "x")}},
		"relative link in the root": {[]string{"l -> ../../../../../../../.." + outside}, []entry{file("l/g", "x")}},
		"link in the tar":           {nil, []entry{link("l", outside), file("l/f", "x"), file("l/g", "x")}},
		"link over the directory":   {[]string{"d/"}, []entry{link("d", outside), file("d/f", "x")}},
		"hard link through a link":  {[]string{"l -> " + outside}, []entry{{name: "h", kind: tar.TypeLink, link: "l/f"}, file("h", "x")}},
		"directory over a link":     {[]string{"l -> " + outside}, []entry{{name: "l", kind: tar.TypeDir, mode: 0o700}, file("l/f", "x")}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			plant(t, root, c.have...)
			for i := range c.members {
				c.members[i].uid = os.Getuid()
			}
			err := Files{}.Write(t.Context(), rootOf(root), "/", pour(t, c.members...), engine.ExtractOptions{})
			t.Log(err)
			got, err := os.ReadFile(filepath.Join(outside, "f"))
			if string(got) != "host" || err != nil {
				t.Errorf("the host's file holds %q, %v", got, err)
			}
			if names, _ := os.ReadDir(outside); len(names) != 1 {
				t.Errorf("the host's directory holds %v", names)
			}
		})
	}
}

func TestWriteRespectsReadOnly(t *testing.T) {
	root, ro, rw := t.TempDir(), t.TempDir(), t.TempDir()
	plant(t, root, "tmp/")
	r := rootOf(root, engine.Mount{Kind: engine.MountBind, Source: rw, Target: "/rw"}, engine.Mount{Kind: engine.MountBind, Source: ro, Target: "/rw/ro", ReadOnly: true})
	const volume, rootfs = "mounted volume is marked read-only", "container rootfs is marked read-only"
	for _, c := range []struct {
		at, member string
		readOnly   bool
		want       string
	}{
		{"/tmp", "f", false, ""},
		{"/tmp", "f", true, rootfs},
		{"/rw", "f", true, ""},
		{"/rw/ro", "f", false, volume},
		{"/rw", "ro/f", false, volume},
		{"/", "tmp/f", true, rootfs},
	} {
		r.ReadOnly = c.readOnly
		e := file(c.member, "x")
		e.uid = os.Getuid()
		err := Files{}.Write(t.Context(), r, c.at, pour(t, e), engine.ExtractOptions{})
		if c.want == "" && err == nil {
			continue
		}
		if !errors.Is(err, engine.Invalid) || !strings.HasSuffix(err.Error(), c.want) || c.want == "" {
			t.Errorf("%+v: got %v", c, err)
		}
	}
	if names, _ := os.ReadDir(ro); len(names) != 0 {
		t.Errorf("written: %v", names)
	}
}

func TestWriteIntoMounts(t *testing.T) {
	root, volume, hosts := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("h"), 0o644); err != nil {
		t.Fatal(err)
	}
	plant(t, root, "v/", "v/under = x", "etc/")
	r := rootOf(root, engine.Mount{Kind: engine.MountVolume, Source: volume, Target: "/v"}, engine.Mount{Kind: engine.MountBind, Source: hosts, Target: "/etc/hosts"})
	mine := func(e entry) entry { e.uid = os.Getuid(); return e }
	d := mine(dir("v"))
	d.mode = 0o711
	if err := (Files{}).Write(t.Context(), r, "/", pour(t, d, mine(file("v/f", "in volume"))), engine.ExtractOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(volume, "f")); string(got) != "in volume" {
		t.Errorf("the volume holds %q, %v", got, err)
	}
	if info, err := os.Stat(volume); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("the volume's mode is %v, %v", info.Mode(), err)
	}
	for _, e := range []entry{file("etc/hosts", "x"), file("etc", "x"), file("v", "x")} {
		if err := (Files{}).Write(t.Context(), r, "/", pour(t, mine(e)), engine.ExtractOptions{}); !errors.Is(err, unix.EBUSY) {
			t.Errorf("%s: got %v", e.name, err)
		}
	}
}

func TestKeepOwner(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	plant(t, root, "etc/", "etc/passwd = root:x:0:0:::\nweb:x:33:44:::\nbroken\n", "etc/group = wheel:x:10:root\n")
	for user, want := range map[string]string{
		"": "1234:1234", "web": "33:44", "33": "33:44", "77": "77:0", "web:wheel": "33:10", "77:88": "77:88", ":10": "0:10", "web:": "33:44",
		"nosuch": `failed to look up user "nosuch" in container: no matching entries in passwd file`,
		"0:none": `failed to look up group "none" in container: no matching entries in group file`,
	} {
		r := rootOf(root)
		r.User = user
		e := file("f", "x")
		e.uid = 1234
		err := Files{}.Write(t.Context(), r, "/", pour(t, e), engine.ExtractOptions{KeepOwner: true})
		got := ""
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "path /: ")
		} else {
			var st unix.Stat_t
			if err := unix.Stat(filepath.Join(root, "f"), &st); err != nil {
				t.Fatal(err)
			}
			got = fmt.Sprintf("%d:%d", st.Uid, st.Gid)
		}
		if got != want {
			t.Errorf("user %q: got %s, want %s", user, got, want)
		}
	}
	r := rootOf(t.TempDir())
	r.User = "web"
	err := Files{}.Write(t.Context(), r, "/", pour(t), engine.ExtractOptions{KeepOwner: true})
	if !errors.Is(err, engine.Invalid) || !strings.HasSuffix(err.Error(), `"web" in container: open /etc/passwd: no such file or directory`) {
		t.Errorf("without a passwd file: %v", err)
	}
}

func TestWriteTakesCompressedAndRefusesGarbage(t *testing.T) {
	e := file("f", "x")
	e.uid = os.Getuid()
	plain, err := io.ReadAll(pour(t, e))
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(plain)
	z.Close()
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"plain": {plain, ""}, "gzip": {zipped.Bytes(), ""}, "empty": {nil, ""},
		"short": {[]byte("garbage"), "unexpected EOF"}, "garbage": {bytes.Repeat([]byte("garbage"), 300), "archive/tar: invalid tar header"},
		"cut": {plain[:512], "unexpected EOF"}, "cut gzip": {zipped.Bytes()[:20], "unexpected EOF"},
	} {
		err := Files{}.Write(t.Context(), rootOf(t.TempDir()), "/", bytes.NewReader(c.body), engine.ExtractOptions{})
		if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func FuzzWrite(f *testing.F) {
	f.Add([]byte("garbage"))
	f.Fuzz(func(t *testing.T, body []byte) {
		outer := t.TempDir()
		root := filepath.Join(outer, "root")
		plant(t, outer, "root/")
		Files{}.Write(t.Context(), rootOf(root), "/", bytes.NewReader(body), engine.ExtractOptions{})
		if names, err := os.ReadDir(outer); err != nil || len(names) != 1 {
			t.Fatalf("beside the root stand %v, %v", names, err)
		}
	})
}

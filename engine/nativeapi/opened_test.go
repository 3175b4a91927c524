package nativeapi_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/enginetest"
	"github.com/xcengine/xc/engine/nativeapi"
	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// open opens something to be passed.
func open(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// as gives an open file another name.
func as(t *testing.T, f *os.File, name string) *os.File {
	t.Helper()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	renamed := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { renamed.Close() })
	return renamed
}

// TestPathsThatAreShown asserts what of the host a user may mount who has not the right "path": what the policy lists and the user
// has opened, where nobody can put something else later.
func TestPathsThatAreShown(t *testing.T) {
	rights := granted(nativeapi.Rights{})
	u := newUsers(t, rights)
	dir, err := filepath.EvalSymlinks(t.TempDir()) // below a directory that others may write in
	if err != nil {
		t.Fatal(err)
	}
	etc := nativeapi.Rights{Paths: []string{"/etc", "/etc/*", dir, dir + "/*"}}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/etc", link); err != nil {
		t.Fatal(err)
	}
	hosts := open(t, "/etc/hosts")
	for name, c := range map[string]struct {
		rights nativeapi.Rights
		source string
		write  bool
		opened []*os.File
		want   string // part of the refusal; empty: it is given
	}{
		"a file":               {etc, "/etc/hosts", false, []*os.File{hosts}, ""},
		"a directory":          {etc, "/etc", false, []*os.File{open(t, "/etc")}, ""},
		"nothing shown":        {etc, "/etc/hosts", false, nil, "has not shown"},
		"another shown":        {etc, "/etc/hosts", false, []*os.File{open(t, "/etc/passwd")}, "has not shown"},
		"another of this name": {etc, "/etc/hosts", false, []*os.File{as(t, open(t, "/etc/passwd"), "/etc/hosts")}, "is not the file or directory"},
		"not listed":           {nativeapi.Rights{Paths: []string{"/srv/*"}}, "/etc/hosts", false, []*os.File{hosts}, `needs the right "path", or to be among the "paths"`},
		"nothing listed":       {nativeapi.Rights{}, "/etc/hosts", false, []*os.File{hosts}, `needs the right "path"`},
		"others write above":   {etc, dir, false, []*os.File{open(t, dir)}, "others than root can replace it"},
		"a link":               {etc, link, false, []*os.File{as(t, open(t, "/etc"), link)}, "is not the file or directory"},
		"through a link":       {nativeapi.Rights{Paths: []string{link + "/*"}}, link + "/hosts", false, []*os.File{as(t, hosts, link+"/hosts")}, "symbolic link"},
		"up and down":          {etc, "/etc/../etc/hosts", false, []*os.File{as(t, hosts, "/etc/../etc/hosts")}, "write it as /etc/hosts"},
		"a device":             {nativeapi.Rights{Paths: []string{"/dev/*"}}, "/dev/null", false, []*os.File{open(t, "/dev/null")}, "is not the file or directory"},
		"to write, of root's":  {etc, "/etc/hosts", true, []*os.File{hosts}, "read-only"},
		"with the right":       {nativeapi.Rights{Grants: []nativeapi.Grant{"path"}}, "/etc/hosts", true, nil, ""},
	} {
		rights.Store(&c.rights)
		wish := sleeper
		wish.Mounts = []wire.MountWish{{Source: c.source, Target: "/m", ReadOnly: !c.write}}
		_, err := u.alice.CreateContainer(t.Context(), wish, c.opened...)
		if c.want == "" && err != nil || c.want != "" && (engine.KindOf(err) != engine.Forbidden || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		// The same by the image's name for the mount, which it does not declare: that is told to whom it would be given.
		wish.Mounts, wish.Labels = nil, map[string]string{engine.LabelVolume + "data": c.source + map[bool]string{false: ":ro"}[c.write]}
		_, err = u.alice.CreateContainer(t.Context(), wish, c.opened...)
		if want := c.want; (engine.KindOf(err) == engine.Forbidden) != (want != "") || err == nil {
			t.Errorf("%s, by a name: %v, want %q", name, err, want)
		}
	}
}

// TestPathsToWrite needs a directory of a user's that nobody else can replace.
func TestPathsToWrite(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: only what root alone can replace is given")
	}
	dir, err := os.MkdirTemp("/var/lib", "xc-test-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, alice, alice); err != nil {
		t.Fatal(err)
	}
	rights := nativeapi.Rights{Paths: []string{"/var/lib/*"}, Grants: []nativeapi.Grant{nativeapi.GrantVolumes}}
	policy := func(int) (nativeapi.Rights, bool) { return rights, true }
	s := enginetest.Services(enginetest.Daemon(t))
	inert, harmful := client.New(enginetest.ServeWith(t, s, alice, policy)), client.New(enginetest.ServeConfig(t, nativeapi.Config{
		Services: s, Policy: policy, Inert: func(*os.File) (bool, error) { return false, nil },
	}, alice))
	wish := sleeper
	wish.Mounts = []wire.MountWish{{Source: dir, Target: "/m"}}
	if _, err := inert.CreateContainer(t.Context(), wish, open(t, dir)); err != nil {
		t.Errorf("one's own, to write: %v", err)
	}
	if _, err := harmful.CreateContainer(t.Context(), wish, open(t, dir)); engine.KindOf(err) != engine.Forbidden || !strings.Contains(err.Error(), "nosuid") {
		t.Errorf("where root of a container can leave a set-user-ID program: %v", err)
	}
	if _, err := inert.CreateVolume(t.Context(), wire.VolumeCreate{Name: "v1", Device: dir}); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("a volume of what was not shown: %v", err)
	}
	if _, err := inert.CreateVolume(t.Context(), wire.VolumeCreate{Name: "v1", Options: map[string]string{"device": dir}}, open(t, dir)); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("a volume with options: %v", err)
	}
	if _, err := inert.CreateVolume(t.Context(), wire.VolumeCreate{Name: "v1", Device: dir}, open(t, dir)); err != nil {
		t.Errorf("a volume of one's own directory: %v", err)
	}
}

// TestOpenedFilesAreCopied asserts that what a user copies into a container is what the user has opened, and not what has its name
// when the daemon comes to it.
func TestOpenedFilesAreCopied(t *testing.T) {
	u := newUsers(t, granted(nativeapi.Rights{}))
	dir := t.TempDir()
	file, archive := filepath.Join(dir, "f"), filepath.Join(dir, "layer.tar")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "etc/layered", Typeflag: tar.TypeReg, Mode: 0o600, Size: 5}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "layer") //nolint:errcheck // into memory
	w.Close()
	for name, content := range map[string]string{file: "mine", archive: b.String()} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opened := []*os.File{open(t, file), open(t, archive)}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	wish := named("filled")
	wish.Labels = map[string]string{engine.LabelCopy: file + ":/etc/copied", engine.LabelExtraLayer: archive}
	if _, err := u.alice.CreateContainer(t.Context(), wish); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("nothing opened: %v", err)
	}
	if _, err := u.alice.CreateContainer(t.Context(), wish, opened[0]); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("one of two opened: %v", err)
	}
	io.Copy(io.Discard, opened[0]) //nolint:errcheck // where the caller reads is its own affair
	if _, err := u.alice.CreateContainer(t.Context(), wish, opened...); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/etc/copied": "mine", "/etc/layered": "layer"} {
		a, err := u.alice.ReadFiles(t.Context(), "filled", path)
		if err != nil {
			t.Fatal(err)
		}
		r := tar.NewReader(a)
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%s has %q, %v", path, got, err)
		}
		a.Close()
	}
}

func TestOpenedFilesAreCounted(t *testing.T) {
	u := newUsers(t, granted(nativeapi.Rights{}))
	var many []*os.File
	for range 40 {
		many = append(many, open(t, "/etc/hosts"))
	}
	if _, err := u.alice.CreateContainer(t.Context(), sleeper, many...); engine.KindOf(err) != engine.Invalid {
		t.Errorf("more than a connection carries: %v", err)
	}
	if _, err := u.root.CreateContainer(t.Context(), sleeper, many[:3]...); err != nil {
		t.Errorf("root need not, and may: %v", err)
	}
}

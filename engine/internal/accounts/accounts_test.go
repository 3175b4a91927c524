package accounts

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

func known() Files {
	return Files{
		Passwd: []byte("root:x:0:0::/root:\nann:x:10:20:Ann:/h:/bin/sh\n"),
		Group:  []byte("root:x:0:\nteam:x:20:\nmore:x:30:ann,root\nlast:x:40:\n"),
	}
}

func TestIdentify(t *testing.T) {
	for _, tc := range []struct {
		name, who string
		groups    []string
		files     Files
		want      Identity
		err       string
		args      []string
	}{
		{name: "default", files: known(), want: Identity{Groups: []int{0, 30}, Home: "/root", Login: "root"}},
		{name: "name", who: "ann", files: known(), want: Identity{10, 20, []int{20, 30}, "/h", "ann"}},
		{name: "number", who: "10", files: known(), want: Identity{10, 20, []int{20, 30}, "/h", "ann"}},
		{name: "group", who: "ann:last", files: known(), want: Identity{10, 40, []int{40}, "/h", "ann"}},
		{name: "unknown number", who: "77:88", files: known(), want: Identity{77, 88, []int{88}, "/", ""}},
		{name: "more groups", who: "ann", groups: []string{"last", "50", "20", "last"}, files: known(), want: Identity{10, 20, []int{20, 30, 40, 50}, "/h", "ann"}},
		{name: "no files", who: "5", want: Identity{UID: 5, Groups: []int{0}, Home: "/"}},
		{name: "no user", who: "bob", files: known(), err: "unable to find user bob: no matching entries in passwd file", args: []string{"bob"}},
		{name: "no user, no file", who: "bob", err: "unable to find user bob: no matching entries in passwd file", args: []string{"bob"}},
		{name: "no group", who: "ann:bob", files: known(), err: "unable to find group bob: no matching entries in group file", args: []string{"bob", "group"}},
		{name: "no further group", who: "ann", groups: []string{"20", "bob"}, files: known(), err: "Unable to find group bob: no matching entries in group file", args: []string{"bob", "group"}},
		{name: "out of range", who: "4294967296", files: known(), err: "uids and gids must be in range 0-2147483647"},
	} {
		got, err := tc.files.Identify(tc.who, tc.groups)
		if tc.err == "" {
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("%s: %v %s", tc.name, err, diff)
			}
			continue
		}
		var e *engine.Error
		if !errors.As(err, &e) || e.Kind != engine.Invalid || e.Err.Error() != tc.err || !cmp.Equal(e.Args, tc.args) || (len(tc.args) > 0) != engine.HasReason(err, engine.ReasonNoUser) {
			t.Errorf("%s: %#v, want %q about %q", tc.name, err, tc.err, tc.args)
		}
	}
}

func TestOwner(t *testing.T) {
	for _, tc := range []struct {
		spec  string
		files Files
		want  Owner
		err   string
	}{
		{spec: "", files: known()},
		{spec: "ann", files: known(), want: Owner{10, 20}},
		{spec: "10", files: known(), want: Owner{10, 20}},
		{spec: "ann:last", files: known(), want: Owner{10, 40}},
		{spec: ":last", files: known(), want: Owner{0, 40}},
		{spec: "7:8", want: Owner{7, 8}},
		{spec: "7", files: known(), want: Owner{7, 0}},
		{spec: "bob", files: known(), err: `failed to look up user "bob" in container: no matching entries in passwd file`},
		{spec: "0:bob", files: known(), err: `failed to look up group "bob" in container: no matching entries in group file`},
		{spec: "bob", err: `failed to look up user "bob" in container: open /etc/passwd: no such file or directory`},
		{spec: "4294967296", files: known(), err: `failed to look up user "4294967296" in container: no matching entries in passwd file`},
	} {
		got, err := tc.files.Owner(tc.spec)
		switch {
		case tc.err != "":
			if err == nil || err.Error() != tc.err {
				t.Errorf("%q: %v, want %s", tc.spec, err, tc.err)
			}
		case err != nil || *got != tc.want:
			t.Errorf("%q: %v %v, want %v", tc.spec, got, err, tc.want)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	open := func(name string) (*os.File, error) {
		return os.OpenFile(filepath.Join(dir, name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	}
	if f, err := Read(open); err != nil || f.Passwd != nil || f.Group != nil {
		t.Fatalf("without /etc: %v %v", f, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	passwd := filepath.Join(dir, "etc/passwd")
	if err := errors.Join(os.WriteFile(passwd, nil, 0o644), unix.Mkfifo(filepath.Join(dir, "etc/group"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if f, err := Read(open); err != nil || f.Passwd == nil || f.Group != nil {
		t.Errorf("an empty file and a pipe: %v %v", f, err)
	}
	if err := os.Truncate(passwd, maxSize+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(open); !errors.Is(err, unix.EFBIG) || !strings.Contains(err.Error(), "/etc/passwd") {
		t.Errorf("too large: %v", err)
	}
	if _, err := Read(func(string) (*os.File, error) { return nil, fs.ErrPermission }); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("not to be read: %v", err)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte("ann:x:10:20:Ann:/h:/bin/sh\n"), []byte("team:x:20:ann\n"), "ann:team")
	f.Fuzz(func(_ *testing.T, passwd, group []byte, who string) {
		files := Files{passwd, group}
		files.Identify(who, []string{who}) //nolint:errcheck // it must not panic
		files.Owner(who)                   //nolint:errcheck // as above
	})
}

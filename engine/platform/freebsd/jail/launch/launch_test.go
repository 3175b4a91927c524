package launch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/platform/initproc"
)

func TestDecode(t *testing.T) {
	want := Payload{JID: 3, Args: []string{"sh"}, Env: []string{"A=1"}, Cwd: "/", Rlimits: []Rlimit{{8, 1, 2}}}
	b, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(engine.Launch{Platform: Platform, Payload: b})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []engine.Launch{{Platform: "linux", Payload: b}, {Platform: Platform, Payload: []byte("{")}, {Platform: Platform, Payload: []byte("{}")}} {
		if _, err := decode(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestOutcome(t *testing.T) {
	told := notExecuted("x", unix.ENOENT)
	for said, want := range map[string]engine.Reason{"TX": "", "X": "", string(encodeFailure(told)): engine.ReasonExecNotFound, "TX" + string(encodeFailure(told)): engine.ReasonExecNotFound} {
		err := outcome([]byte(said))
		if (err == nil) != (want == "") || err != nil && !engine.HasReason(err, want) {
			t.Errorf("%q: %v", said, err)
		}
	}
	for _, said := range []string{"", "T", "XE{", "?"} {
		if err := outcome([]byte(said)); err == nil || engine.KindOf(err) != engine.Internal {
			t.Errorf("%q: %v", said, err)
		}
	}
}

func FuzzOutcome(f *testing.F) {
	f.Add([]byte(`TXE{"Kind":2,"Reason":"no-user","Text":"t"}`))
	f.Fuzz(func(t *testing.T, said []byte) {
		if err := outcome(said); err == nil && !slices.Contains(said, tagGo) {
			t.Errorf("%q was taken for a success", said)
		}
	})
}

func TestWords(t *testing.T) {
	for _, tc := range []struct {
		exec   engine.ExecID
		err    error
		reason engine.Reason
		args   []string
		text   string
	}{
		{"", notExecuted("x", unix.ENOENT), engine.ReasonExecNotFound, []string{"x"}, `OCI runtime create failed: unable to start container process: exec: "x": executable file not found in $PATH`},
		{"", notExecuted("/x", &os.PathError{Op: "stat", Path: "/x", Err: unix.ENOENT}), engine.ReasonExecNotFound, []string{"/x"}, `OCI runtime create failed: unable to start container process: exec: "/x": stat /x: no such file or directory`},
		{"e", notExecuted("/x", unix.EACCES), engine.ReasonExecDenied, []string{"/x"}, `OCI runtime exec failed: exec failed: unable to start container process: exec: "/x": permission denied`},
		{"", notExecuted("/x", unix.EISDIR), engine.ReasonExecIsDir, []string{"/x"}, `OCI runtime create failed: unable to start container process: exec: "/x": is a directory`},
		{"e", notEntered("/w", unix.ENOENT), engine.ReasonBadCwd, []string{"/w"}, `unable to start container process: chdir to cwd ("/w") set in config.json failed: no such file or directory`},
	} {
		var e *engine.Error
		if !errors.As(about(tc.exec, 1, tc.err), &e) || e.Reason != tc.reason || !slices.Equal(e.Args, tc.args) || e.Err.Error() != tc.text || e.Kind != engine.Invalid {
			t.Errorf("%+v, want %+v", e, tc)
		}
		if want := map[bool]engine.Resource{true: engine.ResourceContainer, false: engine.ResourceExec}[tc.exec == ""]; e.Resource != want {
			t.Errorf("about %q", e.Resource)
		}
	}
	if err := notExecuted("x", unix.ENOEXEC); !strings.Contains(err.Error(), "kldload linux64") {
		t.Error(err)
	}
}

func TestLookup(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a/run": 0o755, "b/run": 0o755, "a/text": 0o644, "a/sub/x": 0o755} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"PATH=" + dir + "/none:" + dir + "/a:" + dir + "/b"}
	if got, err := lookup("run", env); err != nil || got != dir+"/a/run" {
		t.Errorf("%q %v", got, err)
	}
	for word, want := range map[string]error{"nosuch": unix.ENOENT, "text": unix.EACCES, "sub": unix.ENOENT, dir + "/a/sub": unix.EISDIR, dir + "/no": unix.ENOENT} {
		if got, err := lookup(word, env); !errors.Is(err, want) {
			t.Errorf("%s: %q %v, want %v", word, got, err, want)
		}
	}
}

func TestChain(t *testing.T) {
	known := accounts.Files{Passwd: []byte("root:*:0:0::0:0:Root:/root:/bin/sh\nwww:*:80:80::0:0:W:/srv:/bin/sh\n"), Group: []byte("www:*:80:\nlog:*:90:www\n")}
	main, err := known.Identify("www", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := Payload{Args: []string{"server"}, Env: []string{"A=1"}, Before: []Step{{Args: []string{"rc"}, Cwd: "/", Timeout: time.Second}}, After: []Step{{Args: []string{"s"}, Env: []string{"HOME=/x"}, User: "80:90"}}, All: true}
	got, err := p.chain(known, main)
	if err != nil || !p.chained() {
		t.Fatal(err)
	}
	www := got.Main.User
	if www.UID != 80 || www.GID != 80 || len(www.Groups) == 0 {
		t.Errorf("main is run as %+v", www)
	}
	want := initproc.Chain{
		Main: initproc.Step{Args: []string{"server"}, Env: []string{"A=1", "HOME=" + main.Home}, User: www}, All: true,
		Before: []initproc.Step{{Args: []string{"rc"}, Env: []string{"HOME=" + got.Before[0].Env[0][5:]}, Dir: "/", User: &initproc.User{Groups: got.Before[0].User.Groups}, Timeout: time.Second}},
		After:  []initproc.Step{{Args: []string{"s"}, Env: []string{"HOME=/x"}, User: &initproc.User{UID: 80, GID: 90, Groups: got.After[0].User.Groups}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := (Payload{Before: []Step{{User: "nobody-knows"}}}).chain(known, main); err == nil {
		t.Error("an unknown user is run as somebody")
	}
}

package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func TestFailure(t *testing.T) {
	for _, tc := range []struct {
		name, msg string
		exec      engine.ExecID
		kind      engine.Kind
		reason    engine.Reason
		args      []string
		text      string
	}{
		{
			name: "runc, not in PATH", msg: `runc run failed: unable to start container process: exec: "x": executable file not found in $PATH`,
			kind: engine.Invalid, reason: engine.ReasonExecNotFound, args: []string{"x"},
			text: `OCI runtime create failed: runc create failed: unable to start container process: exec: "x": executable file not found in $PATH`,
		},
		{
			name: "runc, no such file", msg: `runc run failed: unable to start container process: error during container init: exec: "/x": stat /x: no such file or directory`,
			kind: engine.Invalid, reason: engine.ReasonExecNotFound, args: []string{"x"},
		},
		{
			name: "runc, not executable", msg: `runc run failed: unable to start container process: exec: "/etc": permission denied`,
			kind: engine.Invalid, reason: engine.ReasonExecDenied, args: []string{"x"},
		},
		{
			name: "runc 1.2, directory", msg: `runc run failed: unable to start container process: error during container init: exec: "/etc": is a directory`,
			kind: engine.Invalid, reason: engine.ReasonExecIsDir, args: []string{"x"},
		},
		{
			name: "runc, exec", exec: "e", msg: `exec failed: unable to start container process: exec: "x": executable file not found in $PATH`,
			kind: engine.Invalid, reason: engine.ReasonExecNotFound, args: []string{"x"},
			text: `OCI runtime exec failed: exec failed: unable to start container process: exec: "x": executable file not found in $PATH`,
		},
		{
			name: "runc, directory is missing", exec: "e", msg: `exec failed: unable to start container process: chdir to cwd ("/w") set in config.json failed: no such file or directory`,
			kind: engine.Invalid, reason: engine.ReasonBadCwd, args: []string{"/w"}, text: "no such file or directory",
		},
		{
			name: "crun, not in PATH", msg: "executable file `x` not found in $PATH: No such file or directory",
			kind: engine.Invalid, reason: engine.ReasonExecNotFound, args: []string{"x"},
		},
		{name: "crun, not executable", msg: "open executable: Permission denied", kind: engine.Invalid, reason: engine.ReasonExecDenied, args: []string{"x"}},
		{name: "crun, directory", msg: "chdir to `/w`: No such file or directory", kind: engine.Invalid, reason: engine.ReasonBadCwd, args: []string{"/w"}, text: "no such file or directory"},
		{
			name: "a mount that does not fit", msg: `runc run failed: unable to start container process: error mounting "/a" to rootfs at "/b": mount /a:/b (via /proc/self/fd/6), flags: 0x5000: not a directory`,
			kind: engine.Invalid,
			text: `OCI runtime create failed: runc create failed: unable to start container process: error mounting "/a" to rootfs at "/b": mount /a:/b (via /proc/self/fd/6), flags: 0x5000: not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type`,
		},
		{name: "anything else", msg: "runc run failed: out of paper", kind: engine.Internal, text: "OCI runtime create failed: runc create failed: out of paper"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := attempt{payload: Payload{Word: "x", Cwd: "/w"}, exec: tc.exec}
			line, err := json.Marshal(map[string]string{"level": "error", "msg": tc.msg})
			if err != nil {
				t.Fatal(err)
			}
			var e *engine.Error
			if !errors.As(a.failure(`{"level":"warning","msg":"never mind"}`+"\n"+string(line)+"\n", "printed", 1), &e) {
				t.Fatal("no engine error")
			}
			want := &engine.Error{Op: "start", Kind: tc.kind, Resource: engine.ResourceContainer, Reason: tc.reason, Args: tc.args}
			if tc.exec != "" {
				want.Resource = engine.ResourceExec
			}
			got := *e
			got.Err = nil
			if diff := cmp.Diff(want, &got); diff != "" || tc.text != "" && e.Err.Error() != tc.text {
				t.Errorf("%q, want %q %s", e.Err, tc.text, diff)
			}
		})
	}
}

func TestFailureWithoutALog(t *testing.T) {
	a := attempt{payload: Payload{Runtime: "/bin/runc"}}
	for printed, want := range map[string]string{
		"":                         "OCI runtime create failed: /bin/runc exited with 7 and said nothing",
		"cannot load libseccomp\n": "OCI runtime create failed: cannot load libseccomp",
	} {
		var e *engine.Error
		if !errors.As(a.failure("", printed, 7), &e) || e.Err.Error() != want {
			t.Errorf("%q: %v, want %s", printed, e, want)
		}
	}
}

func FuzzFailure(f *testing.F) {
	f.Add(`{"level":"error","msg":"x"}`)
	f.Add("plain\n{\"msg\":1}\n")
	f.Fuzz(func(t *testing.T, log string) {
		if err := (attempt{}).failure(log, log, 1); err == nil || err.Error() == "" {
			t.Error("a failure without an error")
		}
	})
}

func TestDecode(t *testing.T) {
	want := Payload{Runtime: "/r", Root: "/s", ID: "i", Bundle: "/b", Process: json.RawMessage(`{"a":1}`), Word: "w", Cwd: "/", Cgroup: []string{"/g"}}
	b, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(engine.Launch{Platform: Platform, Payload: b})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []engine.Launch{{Platform: "freebsd", Payload: b}, {Platform: Platform, Payload: []byte("{")}} {
		if _, err := decode(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestArgs(t *testing.T) {
	p := Payload{Runtime: "/bin/runc", Root: "/state", ID: "id", Bundle: "/b"}
	main := attempt{payload: p, name: "main"}
	p.Process = json.RawMessage("{}")
	exec := attempt{payload: p, name: "0a1b", exec: "0a1b"}
	for want, got := range map[string][]string{
		"[/bin/runc --root /state --log /b/main.log --log-format json run --detach --bundle /b --pid-file /b/main.pid id]":                                      main.args(""),
		"[/bin/runc --root /state --log /b/0a1b.log --log-format json exec --detach --process /b/0a1b.json --pid-file /b/0a1b.pid --console-socket /proc/x id]": exec.args("/proc/x"),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

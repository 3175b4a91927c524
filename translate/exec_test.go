package translate

import (
	"encoding/json"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func TestExecInspectEqualsDockerd(t *testing.T) {
	e := engine.Exec{
		ID: "0147750c50e0e251d8665d4044517d10e7656c6577673955513e37d2c2b1ac70", Container: sampleID,
		Spec: engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sh", "-c", "echo o; echo e >&2"}}, AttachStdout: true, AttachStderr: true},
	}
	for _, state := range []string{"created", "done"} {
		if state == "done" {
			e.Started, e.ExitCode, e.Pid = true, new(int), 19555
		}
		want := decode(t, readFile(t, "testdata/dockerd-28.5.2/shape/exec-inspect-"+state+".json"))
		if diff := cmp.Diff(want, decode(t, encode(t, InspectExec(e)))); diff != "" {
			t.Errorf("%s: -dockerd +ours\n%s", state, diff)
		}
	}
	e.Spec.DetachKeys, e.Spec.Process.Cmd = "ctrl-a,b", []string{"true"}
	if got := InspectExec(e); string(got.DetachKeys) != "\x01b" || got.ProcessConfig.Arguments == nil {
		t.Errorf("%+v", got)
	}
}

func TestExecSpec(t *testing.T) {
	body := `{"Cmd":["a","b"],"Env":["K=V"],"User":"u","WorkingDir":"/w","Tty":true,"ConsoleSize":[24,80],"AttachStdin":true,"DetachKeys":"ctrl-x","Detach":true}`
	read := func(s string) (o container.ExecOptions) {
		if err := json.Unmarshal([]byte(s), &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	got, err := ExecSpec(read(body), MaxVersion)
	if err != nil {
		t.Fatal(err)
	}
	want := engine.ExecSpec{
		Process:     engine.ProcessSpec{Cmd: []string{"a", "b"}, Env: []string{"K=V"}, User: "u", WorkDir: "/w", TTY: true, ConsoleSize: [2]uint16{24, 80}},
		AttachStdin: true, DetachKeys: "ctrl-x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := ExecSpec(read(body), Version{1, 41}); err != nil || got.Process.ConsoleSize != [2]uint16{} {
		t.Errorf("over 1.41: %+v, %v", got, err)
	}
	for in, want := range map[string]string{
		`{}`:                              "No exec command specified",
		`{"Cmd":["a"],"DetachKeys":"zz"}`: "Invalid escape keys (zz) provided",
		`{"Cmd":["a\u0000"]}`:             "invalid command: it contains a NUL character",
	} {
		if _, err := ExecSpec(read(in), MaxVersion); err == nil || Message(err) != want {
			t.Errorf("%s: %v", in, err)
		}
	}
	size := [2]uint{24, 80}
	if o, err := ExecStart(container.ExecStartOptions{Tty: true, ConsoleSize: &size}, MaxVersion); err != nil || o.Size != [2]uint16{24, 80} {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := ExecStart(container.ExecStartOptions{ConsoleSize: &size}, MaxVersion); err != nil || o.Size != [2]uint16{} {
		t.Errorf("no terminal, no size: %+v, %v", o, err)
	}
}

package translate

import (
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/xcengine/xc/engine"
)

// ExecSpec reads a request for a further process.
func ExecSpec(body container.ExecOptions, v Version) (engine.ExecSpec, error) {
	if len(body.Cmd) == 0 {
		return engine.ExecSpec{}, invalidf("No exec command specified")
	}
	apply(execRules, v, &body.ConsoleSize)
	size, err := consoleSize(body.ConsoleSize)
	if err != nil {
		return engine.ExecSpec{}, err
	}
	if _, err := engine.ParseDetachKeys(body.DetachKeys); err != nil { // to which dockerd answers 500
		return engine.ExecSpec{}, faultf("Invalid escape keys (%s) provided", body.DetachKeys)
	}
	for _, env := range body.Env {
		if strings.ContainsRune(env, 0) {
			return engine.ExecSpec{}, invalidf("invalid environment: it contains a NUL character")
		}
	}
	for _, s := range append([]string{body.WorkingDir, body.User}, body.Cmd...) {
		if strings.ContainsRune(s, 0) {
			return engine.ExecSpec{}, invalidf("invalid command: it contains a NUL character")
		}
	}
	return engine.ExecSpec{
		Process: engine.ProcessSpec{
			Cmd: body.Cmd, Env: body.Env, WorkDir: body.WorkingDir, User: body.User, TTY: body.Tty, ConsoleSize: size,
		},
		Privileged: body.Privileged, DetachKeys: body.DetachKeys,
		AttachStdin: body.AttachStdin, AttachStdout: body.AttachStdout, AttachStderr: body.AttachStderr,
	}, nil
}

// ExecStart reads a request to start an exec.
func ExecStart(body container.ExecStartOptions, v Version) (engine.ExecStart, error) {
	apply(execRules, v, &body.ConsoleSize)
	if !body.Tty {
		body.ConsoleSize = nil
	}
	size, err := consoleSize(body.ConsoleSize)
	return engine.ExecStart{Detach: body.Detach, Size: size}, err
}

func consoleSize(s *[2]uint) ([2]uint16, error) {
	if s == nil {
		return [2]uint16{}, nil
	}
	if s[0] > 65535 || s[1] > 65535 {
		return [2]uint16{}, invalidf("invalid console size: %d by %d", s[0], s[1])
	}
	return [2]uint16{uint16(s[0]), uint16(s[1])}, nil
}

// ExecInspect is the answer to an exec's inspect, which docker's api/types have only for the client's side.
type ExecInspect struct {
	ID            string
	Running       bool
	ExitCode      *int
	ProcessConfig ExecProcess
	OpenStdin     bool
	OpenStderr    bool
	OpenStdout    bool
	CanRemove     bool
	ContainerID   string
	DetachKeys    []byte
	Pid           int
}

// ExecProcess is what an exec runs.
type ExecProcess struct {
	Tty        bool     `json:"tty"`
	Entrypoint string   `json:"entrypoint"`
	Arguments  []string `json:"arguments"`
	Privileged bool     `json:"privileged"`
	User       string   `json:"user,omitempty"`
}

// InspectExec renders an exec.
func InspectExec(e engine.Exec) ExecInspect {
	keys, _ := engine.ParseDetachKeys(e.Spec.DetachKeys)
	out := ExecInspect{
		ID: string(e.ID), Running: e.Running, ExitCode: e.ExitCode, OpenStdin: e.Spec.AttachStdin, OpenStderr: e.Spec.AttachStderr,
		OpenStdout: e.Spec.AttachStdout, CanRemove: e.CanRemove, ContainerID: string(e.Container), DetachKeys: keys, Pid: e.Pid,
		ProcessConfig: ExecProcess{Tty: e.Spec.Process.TTY, Privileged: e.Spec.Privileged, User: e.Spec.Process.User, Arguments: []string{}},
	}
	if cmd := e.Spec.Process.Cmd; len(cmd) > 0 {
		out.ProcessConfig.Entrypoint = cmd[0]
		out.ProcessConfig.Arguments = append(out.ProcessConfig.Arguments, cmd[1:]...)
	}
	return out
}

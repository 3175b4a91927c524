package engine

import "time"

// ExecSpec asks for a further process in a running container.
type ExecSpec struct {
	Process                                 ProcessSpec // Entrypoint unused
	Privileged                              bool
	DetachKeys                              string
	AttachStdin, AttachStdout, AttachStderr bool
}

// Exec is the record of one further process. It lives as long as the daemon knows the container's run.
type Exec struct {
	ID        ExecID
	Container ContainerID
	Spec      ExecSpec
	Created   time.Time
	Running   bool
	Started   bool
	CanRemove bool
	Pid       int
	ExitCode  *int // nil until it ended
}

// ExecStart says how an exec is started. DetachKeys empty means the exec's own, then the default.
type ExecStart struct {
	Detach bool
	TTY    *bool     // nil: as created
	Size   [2]uint16 // rows, columns
}

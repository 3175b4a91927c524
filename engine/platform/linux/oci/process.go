package oci

import (
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
)

// defaultPath is the PATH of processes whose image and user set none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Where docker-init stands in a container that asked for --init, and the flag that lets it outlive main.
const (
	initTarget   = "/sbin/docker-init"
	initTreeFlag = "--wait-for-all"
)

// environment gives a process Docker's defaults under what was asked for: of several values of a name the last counts, at
// the place of the first. A name without "=" removes the default. HOME comes last, where runc puts it; crun leaves it out for
// users without an entry.
func environment(hostname, home string, tty bool, given ...[]string) []string {
	env := []string{"PATH=" + defaultPath, "HOSTNAME=" + hostname}
	if tty {
		env = append(env, "TERM=xterm")
	}
	for _, list := range given {
		for _, kv := range list {
			env = setEnv(env, kv)
		}
	}
	if !slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "HOME=") }) {
		env = append(env, "HOME="+home)
	}
	return env
}

func setEnv(env []string, kv string) []string {
	name, _, isValue := strings.Cut(kv, "=")
	at := slices.IndexFunc(env, func(have string) bool { return strings.HasPrefix(have, name+"=") })
	switch {
	case !isValue && at >= 0:
		return slices.Delete(env, at, at+1)
	case !isValue:
		return env
	case at >= 0:
		env[at] = kv
		return env
	}
	return append(env, kv)
}

// process renders what main and execs have in common.
func process(p engine.ProcessSpec, args, env []string, user specs.User, caps []string, r request, h host) *specs.Process {
	cwd := p.WorkDir
	if cwd == "" {
		cwd = "/"
	}
	out := &specs.Process{
		Terminal: p.TTY, User: user, Args: args, Env: env, Cwd: cwd,
		Capabilities:    &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
		Rlimits:         rlimits(r.Spec.Resources.Ulimits),
		NoNewPrivileges: r.options.noNewPrivileges,
		OOMScoreAdj:     oomScore(r.Spec.Resources.OOMScoreAdj, h.oomScoreAdj),
	}
	if h.appArmor {
		out.ApparmorProfile = r.options.appArmor
	}
	if p.TTY && p.ConsoleSize != [2]uint16{} {
		out.ConsoleSize = &specs.Box{Height: uint(p.ConsoleSize[0]), Width: uint(p.ConsoleSize[1])}
	}
	return out
}

// oomScore is the adjustment to set: what was asked for, and 0 for a process that would inherit a better place than that.
// A worse one is left: to improve it takes CAP_SYS_RESOURCE, and nobody asked.
func oomScore(asked, own int) *int {
	if asked == 0 && own >= 0 {
		return nil
	}
	return &asked
}

// mainArgs puts docker-init before the program where it was asked for and the container has a process numbering of its own.
func mainArgs(r request) []string {
	if !r.withInit() {
		return r.Args
	}
	args := []string{initTarget}
	if r.Spec.TreeExit {
		args = append(args, initTreeFlag)
	}
	return append(append(args, "--"), r.Args...)
}

// withInit reports whether docker-init is PID 1. A container that ends with its last process needs one to outlive main.
func (r request) withInit() bool {
	return (r.Init || r.Spec.TreeExit) && r.Spec.Security.PidMode == "" && r.PidOf.Pid == 0
}

package oci

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/platform/initproc"
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
	env = slices.DeleteFunc(env, func(kv string) bool { return kv == "HOME=" }) // runc takes an empty one for none
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
	return r.Spec.Chained() || (r.Init || r.Spec.TreeExit) && r.Spec.Security.PidMode == "" && r.PidOf.Pid == 0
}

// chain lets docker-init run what the image wants run before and after main, with whose identity each is to be run. It changes
// users then, as root, and every program has what it would have had by itself: who is not root has no capabilities.
func chain(p *specs.Process, r request, known accounts.Files) error {
	c := initproc.Chain{Persist: r.Spec.Persist, Main: initproc.Step{User: identity(p.User)}}
	for _, list := range []struct {
		from []engine.Step
		to   *[]initproc.Step
	}{{r.Spec.Before, &c.Before}, {r.Spec.After, &c.After}} {
		for _, step := range list.from {
			id, err := known.Identify(step.Process.User, nil)
			if err != nil {
				return err
			}
			*list.to = append(*list.to, initproc.Step{
				Args: step.Process.Cmd, Env: environment(r.Spec.Hostname, id.Home, p.Terminal, step.Process.Env), Dir: cmp.Or(step.Process.WorkDir, "/"),
				User: identity(specUser(id)), Timeout: step.Timeout,
			})
		}
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	p.User = specs.User{AdditionalGids: []uint32{0}}
	p.Env = append(p.Env, initproc.ChainVariable+"="+string(b))
	return nil
}

// identity is nil for root without further groups than its own, which docker-init is: it may lack the capability to change to that.
func identity(u specs.User) *initproc.User {
	if u.UID == 0 && u.GID == 0 && !slices.ContainsFunc(u.AdditionalGids, func(g uint32) bool { return g != 0 }) {
		return nil
	}
	return &initproc.User{UID: u.UID, GID: u.GID, Groups: u.AdditionalGids}
}

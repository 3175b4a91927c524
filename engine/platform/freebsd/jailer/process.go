package jailer

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/jail/launch"
	"github.com/xcengine/xc/engine/platform/freebsd/sysctl"
)

// The PATH of processes whose image and user set none: FreeBSD's own (login.conf(5)) and Docker's.
const (
	freebsdPath = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
	linuxPath   = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// environment gives a process Docker's defaults under what was asked for: of several values of a name the last counts, at
// the place of the first. A name without "=" removes the default.
func environment(path, hostname string, tty bool, given ...[]string) []string {
	env := []string{"PATH=" + path, "HOSTNAME=" + hostname}
	if tty {
		env = append(env, "TERM=xterm")
	}
	for _, kv := range slices.Concat(given...) {
		env = setEnv(env, kv)
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

// process renders what main and execs have in common. more is the exec's own environment.
func process(s engine.SandboxSpec, w wish, jid int, p engine.ProcessSpec, args, more []string) launch.Payload {
	out := launch.Payload{
		JID: jid, Args: args, Cwd: p.WorkDir, User: p.User, Groups: p.Groups,
		Env:             environment(defaultPath(s.Platform), s.Spec.Hostname, p.TTY, w.environment(), s.Spec.Process.Env, more),
		NoNewPrivileges: noNewPrivileges(s.Spec.Security.Options),
	}
	if out.Cwd == "" {
		out.Cwd = "/"
	}
	for _, u := range s.Spec.Resources.Ulimits {
		if n, ok := rlimits[strings.ToLower(u.Name)]; ok {
			out.Rlimits = append(out.Rlimits, launch.Rlimit{Resource: n, Soft: bound(u.Soft), Hard: bound(u.Hard)})
		}
	}
	return out
}

// chain adds what the image wants run before and after main.
func chain(p *launch.Payload, s engine.SandboxSpec, w wish) {
	if !s.Spec.Chained() {
		return
	}
	p.Persist, p.All = s.Spec.Persist, s.Spec.TreeExit
	for _, list := range []struct {
		from []engine.Step
		to   *[]launch.Step
	}{{s.Spec.Before, &p.Before}, {s.Spec.After, &p.After}} {
		for _, step := range list.from {
			*list.to = append(*list.to, launch.Step{
				Args: step.Process.Cmd, Env: environment(defaultPath(s.Platform), s.Spec.Hostname, s.Spec.Process.TTY, w.environment(), step.Process.Env),
				Cwd: cmp.Or(step.Process.WorkDir, "/"), User: step.Process.User, Timeout: step.Timeout,
			})
		}
	}
}

func defaultPath(p engine.Platform) string {
	if p.OS == "linux" {
		return linuxPath
	}
	return freebsdPath
}

// settings orders the kernel variables that a jail gets, so that equal wishes are equal.
func settings(wanted map[string]string) []sysctl.Setting {
	var all []sysctl.Setting
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		all = append(all, sysctl.Setting{Name: name, Value: wanted[name]})
	}
	return all
}

// infinity is RLIM_INFINITY of sys/resource.h.
const infinity = 1<<63 - 1

func bound(n int64) int64 {
	if n < 0 {
		return infinity
	}
	return n
}

func noNewPrivileges(options []string) bool {
	return slices.ContainsFunc(options, func(o string) bool {
		return o == "no-new-privileges" || o == "no-new-privileges=true" || o == "no-new-privileges:true"
	})
}

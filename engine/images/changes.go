package images

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/sys/signal"

	"github.com/xcengine/xc/engine"
)

// changeWords are the Dockerfile instructions that import and commit take: those that change the configuration alone.
var changeWords = []string{
	"cmd", "entrypoint", "healthcheck", "env", "expose", "label", "onbuild", "stopsignal", "user", "volume", "workdir",
}

// applyChanges returns a configuration after Dockerfile instructions, one in each string. c is not touched.
func applyChanges(c engine.ImageConfig, changes []string) (engine.ImageConfig, error) {
	if len(changes) == 0 {
		return c, nil
	}
	doc, err := parser.Parse(strings.NewReader(strings.Join(changes, "\n")))
	if err != nil {
		return c, imageError("", engine.Invalid, "", err)
	}
	a := changer{c: cloneConfig(c), lex: shell.NewLex(doc.EscapeToken)}
	for _, n := range doc.AST.Children {
		if !slices.Contains(changeWords, strings.ToLower(n.Value)) {
			return c, imageError("", engine.Invalid, "", fmt.Errorf("%s is not a valid change command", n.Value))
		}
		cmd, err := instructions.ParseCommand(n)
		if err == nil {
			err = a.apply(cmd)
		}
		if err != nil {
			return c, imageError("", engine.Invalid, "", err)
		}
	}
	return a.c, nil
}

func cloneConfig(c engine.ImageConfig) engine.ImageConfig {
	c.Process.Env, c.ExposedPorts, c.VolumePaths = slices.Clone(c.Process.Env), slices.Clone(c.ExposedPorts), slices.Clone(c.VolumePaths)
	c.Labels, c.OnBuild = maps.Clone(c.Labels), slices.Clone(c.OnBuild)
	return c
}

// changer applies one instruction after the other, as moby's builder/dockerfile/dispatchers.go does.
type changer struct {
	c      engine.ImageConfig
	lex    *shell.Lex
	cmdSet bool // a CMD came, which a later ENTRYPOINT does not clear
}

func (a *changer) apply(cmd instructions.Command) error {
	env := shell.EnvsFromSlice(a.c.Process.Env)
	if e, ok := cmd.(instructions.SupportsSingleWordExpansion); ok {
		err := e.Expand(func(word string) (string, error) {
			out, _, err := a.lex.ProcessWord(word, env)
			return out, err
		})
		if err != nil {
			return err
		}
	}
	switch i := cmd.(type) {
	case *instructions.EnvCommand:
		for _, kv := range i.Env {
			a.setEnv(kv.Key, kv.Value)
		}
	case *instructions.LabelCommand:
		if a.c.Labels == nil {
			a.c.Labels = map[string]string{}
		}
		for _, kv := range i.Labels {
			a.c.Labels[kv.Key] = kv.Value
		}
	case *instructions.CmdCommand:
		a.c.Process.Cmd = a.line(i.ShellDependantCmdLine)
		a.cmdSet = len(i.CmdLine) > 0
	case *instructions.EntrypointCommand:
		a.c.Process.Entrypoint = a.line(i.ShellDependantCmdLine)
		if !a.cmdSet {
			a.c.Process.Cmd = nil
		}
	case *instructions.UserCommand:
		a.c.Process.User = i.User
	case *instructions.WorkdirCommand:
		return a.workdir(i.Path)
	case *instructions.OnbuildCommand:
		a.c.OnBuild = append(a.c.OnBuild, i.Expression)
	default:
		return a.declare(cmd, env)
	}
	return nil
}

// declare applies what a container's surroundings are told.
func (a *changer) declare(cmd instructions.Command, env shell.EnvGetter) error {
	switch i := cmd.(type) {
	case *instructions.HealthCheckCommand:
		h := i.Health
		a.c.Health = &engine.HealthSpec{
			Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries,
		}
	case *instructions.StopSignalCommand:
		if _, err := signal.ParseSignal(i.Signal); err != nil {
			return err
		}
		a.c.StopSignal = i.Signal
	case *instructions.VolumeCommand:
		for _, v := range i.Volumes {
			if v == "" {
				return said("VOLUME specified can not be an empty string")
			}
		}
		a.c.VolumePaths = union(a.c.VolumePaths, i.Volumes)
	case *instructions.ExposeCommand:
		for _, word := range i.Ports {
			specs, err := a.lex.ProcessWords(word, env)
			if err != nil {
				return err
			}
			for _, spec := range specs {
				ports, err := parseExposed(spec)
				if err != nil {
					return err
				}
				a.c.ExposedPorts = union(a.c.ExposedPorts, ports)
			}
		}
	default:
		return fmt.Errorf("%s is not a valid change command", strings.ToUpper(cmd.Name()))
	}
	return nil
}

func (a *changer) setEnv(key, value string) {
	for i, e := range a.c.Process.Env {
		if k, _, _ := strings.Cut(e, "="); k == key {
			a.c.Process.Env[i] = key + "=" + value
			return
		}
	}
	a.c.Process.Env = append(a.c.Process.Env, key+"="+value)
}

// line is a command as it is run: by the image's shell unless it was written as a list.
func (a *changer) line(l instructions.ShellDependantCmdLine) []string {
	if !l.PrependShell {
		return l.CmdLine
	}
	sh := a.c.Shell
	if len(sh) == 0 {
		sh = []string{"/bin/sh", "-c"}
	}
	return append(slices.Clone(sh), l.CmdLine...)
}

func (a *changer) workdir(dir string) error {
	if dir == "" {
		return said("cannot normalize nothing")
	}
	if !path.IsAbs(dir) {
		dir = path.Join("/", a.c.Process.WorkDir, dir)
	}
	a.c.Process.WorkDir = path.Clean(dir)
	return nil
}

// parseExposed reads "80", "80/udp", "8000-8010/tcp"; of a form that also names a host's port only the container's counts.
func parseExposed(spec string) ([]engine.Port, error) {
	bad := fmt.Errorf("invalid containerPort: %s", spec)
	span, proto, ok := strings.Cut(spec, "/")
	if !ok {
		proto = string(engine.TCP)
	}
	if i := strings.LastIndexByte(span, ':'); i >= 0 {
		span = span[i+1:]
	}
	low, high, ok := strings.Cut(span, "-")
	if !ok {
		high = low
	}
	from, err1 := strconv.ParseUint(low, 10, 16)
	to, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil || from > to || from == 0 {
		return nil, bad
	}
	var ports []engine.Port
	for n := from; n <= to; n++ {
		p, ok := parsePort(strconv.FormatUint(n, 10) + "/" + proto)
		if !ok {
			return nil, fmt.Errorf("invalid proto: %s", proto)
		}
		ports = append(ports, p)
	}
	return ports, nil
}

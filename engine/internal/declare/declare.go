// Package declare applies the Dockerfile instructions that change an image's configuration and nothing else, as a build, a
// commit and an import do.
package declare

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/xcengine/xc/engine"
)

// ErrNot is returned for an instruction that does more than change the configuration.
var ErrNot = errors.New("not an instruction of the configuration")

// Config is a configuration under change. It shares nothing with the one it was made of.
type Config struct {
	engine.ImageConfig
	CmdSet bool // a CMD came, which a later ENTRYPOINT does not clear

	lex *shell.Lex
}

// New begins with a configuration. Words are expanded with the given escape character.
func New(c engine.ImageConfig, escape rune) *Config {
	return &Config{ImageConfig: Clone(c), lex: shell.NewLex(escape)}
}

// Apply applies one instruction, as moby's builder/dockerfile/dispatchers.go does; env holds what its words may name. An
// instruction of another kind is ErrNot and changes nothing.
func (c *Config) Apply(cmd instructions.Command, env shell.EnvGetter) error {
	if err := Expand(cmd, c.lex, env); err != nil {
		return err
	}
	switch i := cmd.(type) {
	case *instructions.EnvCommand:
		for _, kv := range i.Env {
			c.setEnv(kv.Key, kv.Value)
		}
	case *instructions.LabelCommand:
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		for _, kv := range i.Labels {
			c.Labels[kv.Key] = kv.Value
		}
	case *instructions.CmdCommand:
		c.Process.Cmd = c.Line(i.ShellDependantCmdLine)
		c.CmdSet = len(i.CmdLine) > 0
	case *instructions.EntrypointCommand:
		c.Process.Entrypoint = c.Line(i.ShellDependantCmdLine)
		if !c.CmdSet {
			c.Process.Cmd = nil
		}
	case *instructions.UserCommand:
		c.Process.User = i.User
	case *instructions.WorkdirCommand:
		return c.workdir(i.Path)
	case *instructions.OnbuildCommand:
		c.OnBuild = append(c.OnBuild, i.Expression)
	case *instructions.ShellCommand:
		c.Shell = slices.Clone(i.Shell)
	default:
		return c.surroundings(cmd, env)
	}
	return nil
}

// Expand replaces the variables in an instruction's words.
func Expand(cmd instructions.Command, lex *shell.Lex, env shell.EnvGetter) error {
	e, ok := cmd.(instructions.SupportsSingleWordExpansion)
	if !ok {
		return nil
	}
	return e.Expand(Words(lex, env))
}

// Words replaces the variables in the words of one instruction, which all together may not become large: a few lines could
// ask for more than there is memory.
func Words(lex *shell.Lex, env shell.EnvGetter) func(string) (string, error) {
	b := &bounded{EnvGetter: env, left: maxExpansion}
	return func(word string) (string, error) {
		b.each = 1
		if replacement.MatchString(word) {
			b.each = len(word)
		}
		out, _, err := lex.ProcessWord(word, b)
		if b.left < 0 {
			return "", errors.New("the values of an instruction's variables are too large together")
		}
		return out, err
	}
}

// maxExpansion is how much the variables of one instruction may become at most, in bytes.
const maxExpansion = 16 << 20

// replacement is ${NAME/PATTERN/WORD}, which may put a word in place of every letter of a value.
var replacement = regexp.MustCompile(`\$\{\w+/`)

// bounded hands out values up to a bound, and then nothing.
type bounded struct {
	shell.EnvGetter
	left int
	each int // bytes that one byte of a value may become
}

// Get implements shell.EnvGetter.
func (b *bounded) Get(key string) (string, bool) {
	v, ok := b.EnvGetter.Get(key)
	if b.left -= len(v); b.left < 0 || len(v)*b.each > maxExpansion {
		b.left = -1
		return "", ok
	}
	return v, ok
}

// surroundings applies what a container's surroundings are told.
func (c *Config) surroundings(cmd instructions.Command, env shell.EnvGetter) error {
	switch i := cmd.(type) {
	case *instructions.HealthCheckCommand:
		h := i.Health
		c.Health = &engine.HealthSpec{
			Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries,
		}
	case *instructions.StopSignalCommand:
		if _, err := engine.ParseSignal(i.Signal); err != nil {
			return err
		}
		c.StopSignal = i.Signal
	case *instructions.VolumeCommand:
		for _, v := range i.Volumes {
			if v == "" {
				return errors.New("VOLUME specified can not be an empty string")
			}
		}
		c.VolumePaths = union(c.VolumePaths, i.Volumes)
	case *instructions.ExposeCommand:
		return c.expose(i, env)
	default:
		return ErrNot
	}
	return nil
}

// expose expands the words, each of which may become several, and leaves the instruction with what they became.
func (c *Config) expose(i *instructions.ExposeCommand, env shell.EnvGetter) error {
	var all []string
	for _, word := range i.Ports {
		specs, err := c.lex.ProcessWords(word, env)
		if err != nil {
			return err
		}
		all = append(all, specs...)
	}
	for _, spec := range all {
		ports, err := parseExposed(spec)
		if err != nil {
			return err
		}
		c.ExposedPorts = union(c.ExposedPorts, ports)
	}
	i.Ports = all
	return nil
}

func (c *Config) setEnv(key, value string) {
	for i, e := range c.Process.Env {
		if k, _, _ := strings.Cut(e, "="); k == key {
			c.Process.Env[i] = key + "=" + value
			return
		}
	}
	c.Process.Env = append(c.Process.Env, key+"="+value)
}

// ShellWords is the shell that runs commands which are no lists.
func (c *Config) ShellWords() []string {
	if len(c.Shell) == 0 {
		return []string{"/bin/sh", "-c"}
	}
	return slices.Clone(c.Shell)
}

// Line is a command as it is run: by the image's shell unless it was written as a list.
func (c *Config) Line(l instructions.ShellDependantCmdLine) []string {
	if !l.PrependShell {
		return l.CmdLine
	}
	return append(c.ShellWords(), l.CmdLine...)
}

func (c *Config) workdir(dir string) error {
	if dir == "" {
		return errors.New("cannot normalize nothing")
	}
	if !path.IsAbs(dir) {
		dir = path.Join("/", c.Process.WorkDir, dir)
	}
	c.Process.WorkDir = path.Clean(dir)
	return nil
}

// parseExposed reads "80", "80/udp", "8000-8010/tcp"; of a form that also names a host's port only the container's counts.
func parseExposed(spec string) ([]engine.Port, error) {
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
		return nil, fmt.Errorf("invalid containerPort: %s", spec)
	}
	p := engine.Proto(strings.ToLower(proto))
	if p != engine.TCP && p != engine.UDP && p != engine.SCTP {
		return nil, fmt.Errorf("invalid proto: %s", proto)
	}
	var ports []engine.Port
	for n := from; n <= to; n++ {
		ports = append(ports, engine.Port{Number: uint16(n), Proto: p})
	}
	return ports, nil
}

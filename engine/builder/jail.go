package builder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/xcengine/xc/engine/builder/dockerfile"
	"github.com/xcengine/xc/engine/builder/jailfile"
	"github.com/xcengine/xc/imageformat"
)

// jailCommand is a directive of a Jailfile that a Dockerfile has no word for: it changes xc's part of the image's
// configuration. It is an instructions.Command.
type jailCommand struct {
	directive jailfile.Directive
	edit      func(*imageformat.JailConfig) error
}

// Name is the directive's.
func (c *jailCommand) Name() string { return c.directive.Name }

// Location is the directive's line.
func (c *jailCommand) Location() []parser.Range {
	at := parser.Position{Line: c.directive.Line}
	return []parser.Range{{Start: at, End: at}}
}

// parseJailfile reads a Jailfile into the stages of a Dockerfile.
func parseJailfile(r io.Reader) (*dockerfile.File, error) {
	all, err := jailfile.Parse(r)
	if err != nil {
		return nil, err
	}
	f := &dockerfile.File{Escape: '\\'}
	for _, d := range all {
		if err := addDirective(f, d); err != nil {
			return nil, &jailfile.Error{Line: d.Line, Column: 1, Err: err}
		}
	}
	if len(all) == 0 {
		return nil, dockerfile.ErrEmpty
	}
	return f, nil
}

func addDirective(f *dockerfile.File, d jailfile.Directive) error {
	if d.Name == "FROM" {
		return addFrom(f, d)
	}
	if len(f.Stages) == 0 {
		return fmt.Errorf("%s stands before the first FROM", d.Name)
	}
	var c dockerfile.Command
	var err error
	switch d.Name {
	case "RUN":
		c, err = jailRun(d)
	case "COPY":
		c, err = jailCopy(d)
	default:
		edit := edits[d.Name]
		if edit == nil {
			return fmt.Errorf("unknown directive: %s", d.Name)
		}
		// What is wrong with the words shows when they are applied to nothing.
		err = edit(d, &imageformat.JailConfig{})
		c.Command = &jailCommand{d, func(j *imageformat.JailConfig) error { return edit(d, j) }}
	}
	c.Text, c.Line = d.Text, d.Line
	st := &f.Stages[len(f.Stages)-1]
	st.Commands = append(st.Commands, c)
	return err
}

// predefinedEmpty is the original's name for nothing.
const predefinedEmpty = "xc-predefine:empty"

func addFrom(f *dockerfile.File, d jailfile.Directive) error {
	st := dockerfile.Stage{Text: d.Text, Line: d.Line}
	switch {
	case len(d.Args) == 1:
	case len(d.Args) == 3 && strings.EqualFold(d.Args[1], "as"):
		st.Name = strings.ToLower(d.Args[2])
	default:
		return errors.New("FROM takes an image, and may go on with \"as NAME\"")
	}
	if st.Base = d.Args[0]; st.Base == predefinedEmpty {
		st.Base = scratch
	}
	if n := len(f.Stages); n > 0 && f.Stages[n-1].Name == "" {
		return errors.New("a stage before another needs a name: FROM IMAGE as NAME")
	}
	f.Stages = append(f.Stages, st)
	return nil
}

// jailRun hands the words to the shell as they were written; a heredoc is the command's input.
func jailRun(d jailfile.Directive) (dockerfile.Command, error) {
	line := d.Raw
	if d.Heredoc != nil {
		tag := "XC_END"
		for strings.Contains(*d.Heredoc, tag) {
			tag += "_"
		}
		line = fmt.Sprintf("%s <<'%s'\n%s%s\n", line, tag, *d.Heredoc, tag)
	}
	if strings.TrimSpace(line) == "" {
		return dockerfile.Command{}, errors.New("RUN takes a command")
	}
	return asInstruction("RUN", []string{"/bin/sh", "-c", line})
}

func jailCopy(d jailfile.Directive) (dockerfile.Command, error) {
	args, from := d.Args, ""
	for len(args) > 1 && strings.HasPrefix(args[0], "--") {
		switch args[0] {
		case "--from":
			from = " --from=" + args[1]
		default:
			return dockerfile.Command{}, fmt.Errorf("COPY has no option %s", args[0])
		}
		args = args[2:]
	}
	if len(args) != 2 || !strings.HasPrefix(args[1], "/") {
		return dockerfile.Command{}, errors.New("COPY takes a source and an absolute destination")
	}
	return asInstruction("COPY"+from, args)
}

// asInstruction makes a Dockerfile's instruction of words that are not to be expanded.
func asInstruction(name string, words []string) (dockerfile.Command, error) {
	text, err := json.Marshal(words)
	if err != nil {
		return dockerfile.Command{}, err
	}
	return dockerfile.Trigger(name + " " + string(text))
}

// edits are what the other directives do to a configuration.
var edits = map[string]func(jailfile.Directive, *imageformat.JailConfig) error{
	"ADDENV": addEnv, "VOLUME": addVolume, "WORKDIR": setWorkDir, "ENTRYPOINT": setEntryPoint, "CMD": setCmd, "ALLOW": setAllow,
	"SYSVIPC": setSysV, "MOUNT": addMount, "DEVICE": addDevice,
	"NOINIT":   func(_ jailfile.Directive, j *imageformat.JailConfig) error { j.Init = nil; return nil },
	"NODEINIT": func(_ jailfile.Directive, j *imageformat.JailConfig) error { j.Deinit = nil; return nil },
}

// flags takes options from the beginning of arguments: those named in valued have a value.
func flags(args []string, plain, valued []string) (set map[string][]string, rest []string, err error) {
	set = map[string][]string{}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch name := args[0]; {
		case slices.Contains(plain, name):
			set[name] = append(set[name], "")
			args = args[1:]
		case slices.Contains(valued, name) && len(args) > 1:
			set[name] = append(set[name], args[1])
			args = args[2:]
		default:
			return nil, nil, fmt.Errorf("unknown option %s", name)
		}
	}
	return set, args, nil
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func addEnv(d jailfile.Directive, j *imageformat.JailConfig) error {
	set, args, err := flags(d.Args, []string{"--require", "--required"}, []string{"-d"})
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return errors.New("ADDENV takes one KEY or KEY=DEFAULT")
	}
	key, value, has := strings.Cut(args[0], "=")
	env := imageformat.EnvSpec{Description: last(set["-d"]), Required: len(set["--require"])+len(set["--required"]) > 0}
	if has {
		env.DefaultValue = &value
	}
	j.Envs = maps.Clone(j.Envs)
	put(&j.Envs, key, env)
	return nil
}

func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}

func addVolume(d jailfile.Directive, j *imageformat.JailConfig) error {
	set, args, err := flags(d.Args, []string{"--required", "--ro"}, []string{"--hint", "-d"})
	if err != nil {
		return err
	}
	if len(args) < 1 || len(args) > 2 || !strings.HasPrefix(args[0], "/") {
		return errors.New("VOLUME takes an absolute path, and may go on with a name")
	}
	m := imageformat.MountSpec{
		Description: last(set["-d"]), Destination: args[0], ReadOnly: len(set["--ro"]) > 0, Required: len(set["--required"]) > 0,
	}
	for _, hint := range set["--hint"] {
		key, value, ok := strings.Cut(hint, "=")
		if !ok {
			return fmt.Errorf("the hint %q is not KEY=VALUE", hint)
		}
		put(&m.VolumeHints, key, value)
	}
	j.Mounts = maps.Clone(j.Mounts)
	put(&j.Mounts, args[len(args)-1], m)
	return nil
}

// editEntry changes the entry point that a directive's brackets name, "main" without.
func editEntry(d jailfile.Directive, j *imageformat.JailConfig, edit func(*imageformat.Exec)) {
	key := d.Options["entry_point"]
	if key == "" {
		if key = j.DefaultEntryPoint; key == "" {
			key = "main"
		}
	}
	e := j.EntryPoints[key]
	edit(&e)
	j.EntryPoints = maps.Clone(j.EntryPoints)
	put(&j.EntryPoints, key, e)
}

func setWorkDir(d jailfile.Directive, j *imageformat.JailConfig) error {
	if len(d.Args) != 1 {
		return errors.New("WORKDIR takes one path")
	}
	editEntry(d, j, func(e *imageformat.Exec) { e.WorkDir = d.Args[0] })
	return nil
}

func setEntryPoint(d jailfile.Directive, j *imageformat.JailConfig) error {
	args := d.Args
	environ := map[string]string{}
	for len(args) > 0 {
		key, value, ok := strings.Cut(args[0], "=")
		if !ok || strings.ContainsAny(key, "/") {
			break
		}
		environ[key] = value
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("ENTRYPOINT takes a program")
	}
	editEntry(d, j, func(e *imageformat.Exec) {
		e.Exec, e.Args = args[0], args[1:]
		e.Environ = maps.Clone(e.Environ)
		for key, value := range environ {
			put(&e.Environ, key, value)
		}
	})
	return nil
}

func setCmd(d jailfile.Directive, j *imageformat.JailConfig) error {
	editEntry(d, j, func(e *imageformat.Exec) { e.DefaultArgs = d.Args })
	return nil
}

func setAllow(d jailfile.Directive, j *imageformat.JailConfig) error {
	if d.Options["replace"] == "true" {
		j.Allow = nil
	}
	j.SetAllow(d.Args)
	return nil
}

func setSysV(d jailfile.Directive, j *imageformat.JailConfig) error {
	for _, word := range d.Args {
		if kind, ok := j.SetSysV(word); !ok {
			return fmt.Errorf("SYSVIPC knows shm, msg and sem, not %q", kind)
		}
	}
	return nil
}

func addMount(d jailfile.Directive, j *imageformat.JailConfig) error {
	if len(d.Args) != 2 || !strings.HasPrefix(d.Args[1], "/") {
		return errors.New("MOUNT takes a type of file system and an absolute path")
	}
	j.SpecialMounts = append(slices.Clone(j.SpecialMounts), imageformat.SpecialMount{MountType: d.Args[0], MountPoint: d.Args[1]})
	return nil
}

func addDevice(d jailfile.Directive, j *imageformat.JailConfig) error {
	if len(d.Args) == 0 {
		return errors.New("DEVICE takes a devfs rule")
	}
	j.DevfsRules = append(slices.Clone(j.DevfsRules), strings.Join(d.Args, " "))
	return nil
}

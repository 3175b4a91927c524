package imageformat

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Command is a program of an image's extension, ready to be run.
type Command struct {
	Args    []string // the program and its fixed arguments
	Rest    []string // its default arguments, which a user may replace
	Env     []string // "K=V", sorted
	WorkDir string   // empty: not stated
	User    string   // "user[:group]", empty: not stated
}

// Environment is what a user gives to programs of an image, over the image's defaults.
type Environment struct {
	defaults, given map[string]string
}

// Environment reads "K=V" pairs; a name alone takes the image's default away. Of several values the last counts.
func (j JailConfig) Environment(pairs []string) Environment {
	e := Environment{j.defaults(), map[string]string{}}
	for _, kv := range pairs {
		name, v, isValue := strings.Cut(kv, "=")
		if isValue {
			e.given[name] = v
			continue
		}
		delete(e.given, name)
		delete(e.defaults, name)
	}
	return e
}

func (e Environment) lookup(name string) (string, bool) {
	if v, ok := e.given[name]; ok {
		return v, true
	}
	v, ok := e.defaults[name]
	return v, ok
}

// Expand expands an interpolated string of the image that belongs to no program, such as a rule for devices.
func (e Environment) Expand(s string) (string, error) { return Expand(s, e.lookup) }

// Missing names the variables that the image requires and nobody set, sorted, each with what the image says of it. sure are
// pairs "K=V" that a program has by other means.
func (j JailConfig) Missing(e Environment, sure []string) []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(j.Envs)) {
		spec := j.Envs[name]
		_, there := e.lookup(name)
		if !spec.Required || there || slices.ContainsFunc(sure, func(kv string) bool { return strings.HasPrefix(kv, name+"=") }) {
			continue
		}
		errs = append(errs, missing(name, spec.Description))
	}
	return errs
}

func missing(name, description string) error {
	if description != "" {
		description = ", " + clip(description)
	}
	return fmt.Errorf("the image needs the environment variable %s%s: give it with --env %s=VALUE", name, description, name)
}

// Command expands a program with an environment, whose values win over the program's own. It tells everything that it lacks; a
// required variable that the image itself requires is told by Missing.
func (j JailConfig) Command(x Exec, e Environment) (Command, error) {
	p := newProcess(x, e.defaults, e.given)
	c := Command{WorkDir: x.WorkDir, User: x.user()}
	c.Args = append([]string{x.Exec}, p.words(x.Args)...)
	c.Rest = p.words(x.DefaultArgs)
	for _, name := range slices.Sorted(maps.Keys(p.env)) {
		c.Env = append(c.Env, name+"="+p.env[name])
	}
	for _, name := range x.RequiredEnvs {
		if _, there := p.env[name]; !there && !j.Envs[name].Required {
			p.errs = append(p.errs, missing(name, j.Envs[name].Description))
		}
	}
	if x.Exec == "" {
		p.errs = append(p.errs, errors.New("it names no program"))
	}
	// What is told as missing need not be told again by every string that it stands in.
	errs := slices.DeleteFunc(p.errs, func(err error) bool {
		var unset *UnsetError
		return errors.As(err, &unset) && unset.Message == "" && (j.Envs[unset.Name].Required || slices.Contains(x.RequiredEnvs, unset.Name))
	})
	return c, errors.Join(errs...)
}

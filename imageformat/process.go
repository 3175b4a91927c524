package imageformat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxProcess bounds what the interpolated strings of one entry point become together. A program's words and environment are
// far smaller; an image that was made to fill the memory of its reader is not.
const maxProcess = 4 << 20

// maxWaiting bounds how long a chain of variables that need each other may be; a longer one is taken for a circle.
const maxWaiting = 256

// process expands the interpolated strings of one entry point.
type process struct {
	exec    Exec
	base    map[string]string // the image's own defaults and what the user gave
	given   map[string]string // by the user, whose values win
	env     map[string]string // what the program sees
	errs    []error           // what could not be expanded
	left    int               // bytes that strings may still become
	state   map[string]resolution
	waiting int
}

// resolution is how far a variable of the entry point is.
type resolution int

const (
	begun resolution = iota + 1
	settled
	circular // it needs itself, by whatever way
)

func newProcess(e Exec, defaults, given map[string]string) *process {
	p := &process{exec: e, base: maps.Clone(defaults), given: given, env: map[string]string{}, left: maxProcess, state: map[string]resolution{}}
	maps.Copy(p.base, given)
	if !e.ClearEnv {
		maps.Copy(p.env, defaults)
	}
	maps.Copy(p.env, given)
	for _, name := range slices.Sorted(maps.Keys(e.Environ)) {
		if _, said := given[name]; said {
			p.state[name] = settled
			continue
		}
		p.resolve(name)
	}
	return p
}

// resolve sets a variable after those that it needs. What needs itself, or what is not set, is left out.
func (p *process) resolve(name string) resolution {
	if s, ok := p.state[name]; ok {
		return s
	}
	if p.waiting == maxWaiting {
		return circular
	}
	p.waiting++
	p.state[name] = begun
	circle := false
	v, err := p.expand(p.exec.Environ[name], func(other string) (string, bool) {
		// A variable that names itself means the value that it is about to replace.
		if _, own := p.exec.Environ[other]; own && other != name {
			if s := p.resolve(other); s != settled {
				circle = true
			}
		}
		return p.lookup(other)
	})
	p.waiting--
	switch {
	case circle:
		p.state[name] = circular
		return circular
	case err == nil:
		p.env[name] = v
	default:
		p.errs = append(p.errs, fmt.Errorf("environment %s=%s: %w", name, clip(p.exec.Environ[name]), err))
	}
	p.state[name] = settled
	return settled
}

// lookup knows the image's defaults even where the program does not see them.
func (p *process) lookup(name string) (string, bool) {
	if v, ok := p.env[name]; ok {
		return v, true
	}
	v, ok := p.base[name]
	return v, ok
}

// expand refuses everything once too much was asked for.
func (p *process) expand(s string, lookup func(string) (string, bool)) (string, error) {
	if p.left < 0 {
		return "", invalid("interpolated string", "those of the entry point become longer than %d bytes", maxProcess)
	}
	v, err := Expand(s, lookup)
	if err != nil {
		return "", err
	}
	if p.left -= len(v); p.left < 0 {
		return p.expand(s, lookup)
	}
	return v, nil
}

// words expands arguments with what the program sees. What cannot be expanded stays as it is written.
func (p *process) words(list []string) []string {
	var out []string
	for _, s := range list {
		v, err := p.expand(s, func(name string) (string, bool) { v, ok := p.env[name]; return v, ok })
		if err != nil {
			p.errs = append(p.errs, fmt.Errorf("argument %q: %w", clip(s), err))
			v = s
		}
		out = append(out, v)
	}
	return out
}

// clip shortens a string of an image for an error.
func clip(s string) string {
	const enough = 80
	if len(s) <= enough {
		return s
	}
	return strings.ToValidUTF8(s[:enough], "") + "…"
}

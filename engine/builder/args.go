package builder

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// predefined are the arguments that need no ARG. They leave no trace in history or cache unless an ARG names them.
var predefined = map[string]bool{
	"HTTP_PROXY": true, "http_proxy": true, "HTTPS_PROXY": true, "https_proxy": true, "FTP_PROXY": true, "ftp_proxy": true,
	"NO_PROXY": true, "no_proxy": true, "ALL_PROXY": true, "all_proxy": true,
}

// arguments are those of a build as one place of the recipe sees them. The rules are moby's (builder/dockerfile/buildargs.go).
type arguments struct {
	given    map[string]*string // by the user
	meta     map[string]*string // by ARG before the first FROM, and by the platform
	declared map[string]*string // by ARG in this stage; nil: without a value
}

// platformArguments are what BuildKit tells every build.
func platformArguments(build, target engine.Platform) map[string]*string {
	args := map[string]*string{}
	for prefix, p := range map[string]engine.Platform{"BUILD": build, "TARGET": target} {
		full, os, arch, variant := p.String(), p.OS, p.Architecture, p.Variant
		args[prefix+"PLATFORM"], args[prefix+"OS"], args[prefix+"ARCH"], args[prefix+"VARIANT"] = &full, &os, &arch, &variant
	}
	return args
}

// stage is what a new stage sees: nothing is declared.
func (a arguments) stage() arguments {
	a.declared = map[string]*string{}
	return a
}

func (a arguments) clone() arguments {
	a.declared = maps.Clone(a.declared)
	return a
}

func (a arguments) value(name string, from map[string]*string) (string, bool) {
	if v := a.given[name]; v != nil {
		return *v, true
	}
	if v := from[name]; v != nil {
		return *v, true
	}
	if v := a.meta[name]; v != nil {
		return *v, true
	}
	return "", false
}

// metaEnv is what FROM lines see.
func (a arguments) metaEnv() []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(a.meta)) {
		if v, ok := a.value(name, a.meta); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// env returns the arguments in force, sorted, those left out that a variable of the image overrides.
func (a arguments) env(image []string) []string {
	names := map[string]bool{}
	for name := range a.declared {
		names[name] = true
	}
	for name := range predefined {
		names[name] = true
	}
	for _, e := range image {
		name, _, _ := strings.Cut(e, "=")
		delete(names, name)
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if v, ok := a.value(name, a.declared); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// traced keeps the arguments that history and cache see, and leaves the predefined out that no ARG names.
func (a arguments) traced(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		_, declared := a.declared[name]
		return predefined[name] && !declared
	})
}

// withArguments is a command as history tells it: after the arguments that it saw, if it saw any, with the number of those
// that leave a trace.
func (a arguments) withArguments(env, words []string) []string {
	if len(env) == 0 {
		return words
	}
	env = a.traced(env)
	return slices.Concat([]string{"|" + strconv.Itoa(len(env))}, env, words)
}

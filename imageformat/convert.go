package imageformat

import (
	"maps"
	"slices"
	"strings"
)

// OCIEntryPoint is the name of the entry point that a converted image gets; the original xc uses the same.
const OCIEntryPoint = "oci_entry_point"

// mainEntryPoint is the entry point where an image names no default.
const mainEntryPoint = "main"

// Default returns the entry point that runs when the user names none.
func (j JailConfig) Default() (name string, e Exec, ok bool) {
	name = j.DefaultEntryPoint
	if name == "" {
		name = mainEntryPoint
	}
	e, ok = j.EntryPoints[name]
	return name, e, ok
}

// JailConfig returns what the image asks of its jail. An image without the extension is converted. Where the process that
// the OCI part names is not what the extension says, because another tool changed it since, the OCI part wins: its process
// becomes the default entry point and the others stay.
func (img JailImage) JailConfig() JailConfig {
	if img.Jail == nil {
		return img.convert()
	}
	j := *img.Jail
	if !img.Run.HasProcess() || sameProcess(img.Run, j.RunConfig()) {
		return j
	}
	j.EntryPoints = maps.Clone(j.EntryPoints)
	if e, ok := img.Run.exec(); ok {
		if j.EntryPoints == nil {
			j.EntryPoints = map[string]Exec{}
		}
		j.EntryPoints[OCIEntryPoint] = e
		j.DefaultEntryPoint = OCIEntryPoint
	}
	return j
}

// SetJail makes j the image's extension and rewrites the OCI part to say the same as far as it can, so that Docker runs
// the image too. Health check, stop signal, shell, triggers and unknown keys stay as they are, and so does a command that
// j repeats: one without an entry point is replaced by what docker run is given.
func (img *JailImage) SetJail(j JailConfig) {
	img.Jail = &j
	said := j.RunConfig()
	run := &img.Run
	if !run.sameCommand(said) {
		run.Entrypoint, run.Cmd = said.Entrypoint, said.Cmd
	}
	run.Env, run.WorkingDir, run.User = said.Env, said.WorkingDir, said.User
	run.ExposedPorts, run.Volumes, run.Labels = said.ExposedPorts, said.Volumes, said.Labels
}

// Effective returns what to run the image with in Docker's words: the OCI part, or for an image of the original xc, which
// left that part empty, what the extension says in its place.
func (img JailImage) Effective() RunConfig {
	if img.Jail == nil || img.Run.HasProcess() {
		return img.Run
	}
	said := img.Jail.RunConfig()
	run := img.Run
	run.Entrypoint, run.Cmd, run.Env, run.WorkingDir, run.User = said.Entrypoint, said.Cmd, said.Env, said.WorkingDir, said.User
	if run.ExposedPorts == nil {
		run.ExposedPorts = said.ExposedPorts
	}
	if run.Volumes == nil {
		run.Volumes = said.Volumes
	}
	if run.Labels == nil {
		run.Labels = said.Labels
	}
	return run
}

// HasProcess reports whether it says anything of the process. Images of the original xc leave that to the extension.
func (r RunConfig) HasProcess() bool {
	return len(r.Entrypoint)+len(r.Cmd)+len(r.Env) > 0 || r.WorkingDir != "" || r.User != ""
}

func sameProcess(a, b RunConfig) bool {
	return a.sameCommand(b) && slices.Equal(a.Env, b.Env) && a.WorkingDir == b.WorkingDir && a.User == b.User
}

// sameCommand reports whether both become one entry point: a command without an entry point is one itself.
func (r RunConfig) sameCommand(o RunConfig) bool {
	argv, args := r.command()
	other, rest := o.command()
	return slices.Equal(argv, other) && slices.Equal(args, rest)
}

func (r RunConfig) command() (argv, args []string) {
	if len(r.Entrypoint) == 0 {
		return r.Cmd, nil
	}
	return r.Entrypoint, r.Cmd
}

func (img JailImage) convert() JailConfig {
	system := Normalize(img.Platform).OS
	j := JailConfig{
		Linux: system == "linux" || system == "", SysVMsg: SysVNew, SysVShm: SysVNew, SysVSem: SysVNew,
		Labels: maps.Clone(img.Run.Labels),
	}
	if e, ok := img.Run.exec(); ok {
		j.EntryPoints = map[string]Exec{OCIEntryPoint: e}
		j.DefaultEntryPoint = OCIEntryPoint
	}
	for _, kv := range img.Run.Env {
		// Every command that is run in the image sees its environment, not only the entry point.
		name, v, _ := strings.Cut(kv, "=")
		if j.Envs == nil {
			j.Envs = map[string]EnvSpec{}
		}
		j.Envs[name] = EnvSpec{DefaultValue: &v}
	}
	for _, port := range img.Run.ExposedPorts {
		if j.Ports == nil {
			j.Ports = map[string]string{}
		}
		j.Ports[port] = ""
	}
	for _, path := range img.Run.Volumes {
		if j.Mounts == nil {
			j.Mounts = map[string]MountSpec{}
		}
		j.Mounts[path] = MountSpec{Destination: path}
	}
	return j
}

// exec converts the process; its strings are literal.
func (r RunConfig) exec() (Exec, bool) {
	argv, rest := r.command()
	if len(argv) == 0 {
		return Exec{}, false
	}
	e := Exec{Exec: argv[0], Args: literals(argv[1:]), DefaultArgs: literals(rest), WorkDir: r.WorkingDir}
	e.User, e.Group, _ = strings.Cut(r.User, ":")
	for _, kv := range r.Env {
		name, v, _ := strings.Cut(kv, "=")
		if e.Environ == nil {
			e.Environ = map[string]string{}
		}
		e.Environ[name] = Literal(v)
	}
	return e, true
}

func literals(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, Literal(s))
	}
	return out
}

// RunConfig says in Docker's words what the extension says of its default entry point, ports, mounts and labels. Variables
// are expanded with the image's own defaults; a variable that has none is left out of the environment and stays as it is
// written in arguments.
func (j JailConfig) RunConfig() RunConfig {
	var r RunConfig
	env := j.defaults()
	if _, e, ok := j.Default(); ok {
		p := newProcess(e, env, nil)
		env = p.env
		r.Entrypoint = append([]string{e.Exec}, p.words(e.Args)...)
		r.Cmd = p.words(e.DefaultArgs)
		r.WorkingDir = e.WorkDir
		r.User = e.user()
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		r.Env = append(r.Env, name+"="+env[name])
	}
	for _, m := range j.Mounts {
		if m.Destination != "" {
			r.Volumes = append(r.Volumes, m.Destination)
		}
	}
	slices.Sort(r.Volumes)
	r.Volumes = slices.Compact(r.Volumes)
	r.ExposedPorts = singlePorts(slices.Collect(maps.Keys(j.Ports)))
	r.Labels = maps.Clone(j.Labels)
	return r
}

func (j JailConfig) defaults() map[string]string {
	env := map[string]string{}
	for name, spec := range j.Envs {
		if spec.DefaultValue != nil {
			env[name] = *spec.DefaultValue
		}
	}
	return env
}

func (e Exec) user() string {
	switch {
	case e.Group == "":
		return e.User
	case e.User == "":
		return "0:" + e.Group
	}
	return e.User + ":" + e.Group
}

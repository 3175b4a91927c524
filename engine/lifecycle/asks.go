package lifecycle

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// How long each program of an image's chains may take unless the user says otherwise.
const (
	initTimeout   = 2 * time.Minute
	deinitTimeout = 15 * time.Second
)

// asks turns what keys and the image's own part of xc's ask for into a spec, and collects what is wrong. It makes nothing.
type asks struct {
	spec     *engine.Spec
	img      engine.Image
	jail     imageformat.JailConfig // of the image; empty when it has none or the container is bare
	wishes   engine.Wishes
	env      imageformat.Environment
	jails    bool // the platform has them
	fillings []filling
	errs     []error
	warnings []string
}

func (a *asks) refuse(format string, args ...any) {
	a.errs = append(a.errs, fmt.Errorf(format, args...))
}

// newAsks reads the keys. The spec has its labels, also the image's; its process is still what the user said.
func newAsks(spec *engine.Spec, img engine.Image, jails bool) *asks {
	a := &asks{spec: spec, img: img, jails: jails}
	a.wishes, a.errs = engine.ReadKeys(spec.Labels, spec.Annotations)
	if img.Jail != nil && !spec.Bare {
		a.jail = *img.Jail
	}
	a.env = a.jail.Environment(spec.Process.Env)
	return a
}

// platform is that of the container: an image of the original xc may hold Linux programs whatever its own says.
func (a *asks) platform() engine.Platform {
	p := a.img.Platform
	if a.jail.Linux {
		p.OS = "linux"
	}
	return p
}

// process resolves the entry point before the image's configuration is merged in, and reports whether it did: the image's words
// for Docker are then not asked.
func (a *asks) process() (resolved bool) {
	p := &a.spec.Process
	name := a.wishes.EntryPoint
	if name == "" {
		if len(p.Entrypoint) > 0 || a.spec.Bare || a.img.Jail == nil {
			return false
		}
		var there bool
		if name, _, there = a.jail.Default(); !there {
			return false
		}
	}
	x, there := a.jail.EntryPoints[name]
	switch {
	case !there:
		a.refuse("label %s=%s: the image has no entry point of this name, it has %s", engine.LabelEntryPoint, name, listed(slices.Sorted(maps.Keys(a.jail.EntryPoints))))
		return false
	case len(p.Entrypoint) > 0:
		a.refuse("label %s=%s: --entrypoint says another program", engine.LabelEntryPoint, name)
		return false
	}
	c, err := a.jail.Command(x, a.env)
	a.failed("entry point "+name, err)
	p.Entrypoint, p.Env = c.Args, c.Env
	if len(p.Cmd) == 0 {
		p.Cmd = c.Rest
	}
	p.WorkDir, p.User = cmp.Or(p.WorkDir, c.WorkDir), cmp.Or(p.User, c.User)
	return true
}

// failed takes each failure of an expansion.
func (a *asks) failed(what string, err error) {
	if err == nil {
		return
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // only the outermost is a list
		for _, one := range several.Unwrap() {
			a.refuse("%s: %w", what, one)
		}
		return
	}
	a.refuse("%s: %w", what, err)
}

// rest does what comes after the image's configuration was merged in.
func (a *asks) rest() {
	if a.img.Jail != nil && !a.spec.Bare {
		a.errs = append(a.errs, a.jail.Missing(a.env, a.spec.Process.Env)...)
	}
	s, w := a.spec, a.wishes
	s.TreeExit = a.img.TreeExit && !s.Bare
	if w.Tree != nil {
		s.TreeExit = *w.Tree
	}
	s.Persist, s.NoClean, s.Network.DNSFrom = w.Persist, w.NoClean, cmp.Or(w.DNS, s.Network.DNSFrom)
	if w.NoClean && s.AutoRemove {
		a.refuse("label %s: --rm removes what is to be kept", engine.LabelNoClean)
	}
	if !w.NoInit {
		s.Before = a.steps("init", a.jail.Init, cmp.Or(w.InitTimeout, initTimeout))
	}
	if !w.NoDeinit {
		s.After = a.steps("deinit", a.jail.Deinit, cmp.Or(w.DeinitTimeout, deinitTimeout))
	}
	a.volumes()
	if a.jails {
		a.ofJail()
	} else {
		a.withoutJail()
	}
}

func (a *asks) steps(chain string, programs []imageformat.Exec, timeout time.Duration) []engine.Step {
	var steps []engine.Step
	for i, x := range programs {
		c, err := a.jail.Command(x, a.env)
		a.failed(chain+" "+strconv.Itoa(i+1), err)
		steps = append(steps, engine.Step{
			Process: engine.ProcessSpec{Cmd: append(c.Args, c.Rest...), Env: c.Env, WorkDir: c.WorkDir, User: c.User}, Timeout: timeout,
		})
	}
	return steps
}

// volumes mounts by the image's names.
func (a *asks) volumes() {
	names := slices.Sorted(maps.Keys(a.jail.Mounts))
	for _, name := range slices.Sorted(maps.Keys(a.wishes.Volumes)) {
		want, there := a.jail.Mounts[name]
		if !there || !path.IsAbs(want.Destination) {
			a.refuse("label %s%s: the image has no mount of this name, it has %s", engine.LabelVolume, name, listed(names))
			continue
		}
		source, option, _ := strings.Cut(a.wishes.Volumes[name], ":")
		if option != "" && option != "ro" && option != "rw" {
			a.refuse("label %s%s=%s: the option must be ro or rw", engine.LabelVolume, name, a.wishes.Volumes[name])
			continue
		}
		m := engine.MountSpec{Kind: engine.MountVolume, Origin: engine.OriginMounts, Source: source, Target: path.Clean(want.Destination), ReadOnly: option == "ro"}
		if path.IsAbs(source) {
			m.Kind = engine.MountBind
		}
		a.spec.Mounts = append(slices.Clip(a.spec.Mounts), m)
	}
}

// required misses the volumes that the image cannot do without. points are the container's; anonymous ones do not count.
func (a *asks) required(points []engine.MountPoint) {
	for _, name := range slices.Sorted(maps.Keys(a.jail.Mounts)) {
		want := a.jail.Mounts[name]
		given := func(p engine.MountPoint) bool {
			return p.Target == path.Clean(want.Destination) && (p.Inherited || !p.Anonymous)
		}
		_, tmpfs := a.spec.Tmpfs[want.Destination]
		if !want.Required || tmpfs || slices.ContainsFunc(points, given) {
			continue
		}
		a.refuse("the image needs a volume at %s%s: give it with -v VOLUME:%[1]s or --label %[3]s%[4]s=VOLUME",
			want.Destination, described(want.Description), engine.LabelVolume, name)
	}
}

// readOnly keeps what the image wants read-only so.
func (a *asks) readOnly(points []engine.MountPoint) {
	for _, want := range a.jail.Mounts {
		for i := range points {
			if want.ReadOnly && points[i].Target == path.Clean(want.Destination) {
				points[i].ReadOnly = true
			}
		}
	}
}

func described(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// withoutJail refuses what only jails have, when the user says it, and tells of it when the image does.
func (a *asks) withoutJail() {
	for _, k := range a.wishes.Used {
		stack := a.wishes.VNET != nil && *a.wishes.VNET && a.spec.Network.Mode != "host"
		switch {
		case k.Jails == "", k.Name == engine.LabelVNET && stack:
		case k.Name == engine.AnnotationJail:
			a.warnings = append(a.warnings, "annotations "+k.Name+"* have no effect on this platform: "+k.Jails)
		default:
			a.refuse("label %s: not on this platform: %s", k.Name, k.Jails)
		}
	}
	var ignored []string
	for _, x := range []struct {
		asked bool
		what  string
	}{
		{len(a.jail.Allow) > 0, "allow." + strings.Join(a.jail.Allow, ", allow.")},
		{len(a.jail.DevfsRules) > 0, "rules for devices"},
		{a.jail.SecureLevel > 0, "a secure level"},
		{len(a.jail.Datasets) > 0, "ZFS datasets"},
	} {
		if x.asked {
			ignored = append(ignored, x.what)
		}
	}
	if len(ignored) > 0 {
		a.warnings = append(a.warnings, "what the image asks of a FreeBSD jail has no effect on this platform: "+strings.Join(ignored, "; "))
	}
}

// ofJail joins what the user says of the jail with what the image asks for. What would give it more than any container has needs the
// user's own word.
func (a *asks) ofJail() {
	w := a.wishes
	j := engine.JailSpec{VNET: w.VNET, Params: maps.Clone(w.Params), DevfsRules: slices.Clone(w.DevfsRules), Tunnels: w.Tunnels}
	if a.jail.VNET && j.VNET == nil && a.spec.Network.Mode != "host" && !strings.HasPrefix(string(a.spec.Network.Mode), "container:") {
		j.VNET = &a.jail.VNET
	}
	a.params(j.Params)
	a.devices(&j)
	a.datasets(&j)
	for _, m := range a.jail.SpecialMounts {
		switch {
		case !path.IsAbs(m.MountPoint):
			a.refuse("the image wants a file system of type %s at %q, which is not absolute", m.MountType, m.MountPoint)
		case !slices.Contains([]string{"procfs", "fdescfs", "linprocfs", "linsysfs", "tmpfs"}, m.MountType):
			a.refuse("the image wants a file system of type %q at %s: only procfs, fdescfs, linprocfs, linsysfs and tmpfs can be mounted so", m.MountType, m.MountPoint)
		default:
			j.Mounts = append(j.Mounts, engine.SpecialMount{Type: m.MountType, Target: path.Clean(m.MountPoint)})
		}
	}
	a.spec.Jail = j
}

// everyJail may do these anyway.
var everyJail = []string{"raw_sockets", "chflags", "set_hostname", "reserved_ports"}

// params adds the image's parameters to the user's, who has the last word.
func (a *asks) params(params map[string]string) {
	asked := func(name, value string, harmless bool) {
		if have, said := params[name]; said {
			if value != have {
				a.warnings = append(a.warnings, fmt.Sprintf("the image asks for jail parameter %s=%s and gets %s", name, value, have))
			}
			return
		}
		if !harmless {
			a.consent("jail parameter "+name+"="+value, engine.LabelJail+name+"="+value)
			return
		}
		params[name] = value
	}
	for _, name := range a.jail.Allow {
		name = strings.TrimPrefix(name, "allow.")
		asked("allow."+name, "true", slices.Contains(everyJail, name))
	}
	if n := a.jail.SecureLevel; n > 0 {
		asked("securelevel", strconv.Itoa(int(n)), true)
	}
	linux := a.platform().OS == "linux"
	for _, p := range []struct {
		name, value string
		asked       bool
	}{
		{"sysvmsg", string(a.jail.SysVMsg), true},
		{"sysvsem", string(a.jail.SysVSem), true},
		{"sysvshm", string(a.jail.SysVShm), true},
		{"osrelease", a.jail.OSRelease, !linux},
		{"osreldate", strconv.Itoa(int(a.jail.OSReldate)), !linux && a.jail.OSReldate != 0},
		{"linux.osname", a.jail.LinuxOSName, linux},
		{"linux.osrelease", a.jail.LinuxOSRelease, linux},
		{"linux.oss_version", a.jail.LinuxOSSVersion, linux},
	} {
		if p.asked && p.value != "" {
			asked(p.name, p.value, p.value != string(imageformat.SysVInherit))
		}
	}
}

func (a *asks) consent(what, label string) {
	a.errs = append(a.errs, &engine.ConsentError{What: what, Label: label})
}

// devices adds those of the image's rules that the user says too, in whatever words.
func (a *asks) devices(j *engine.JailSpec) {
	for i, text := range a.jail.DevfsRules {
		rule, err := a.env.Expand(text)
		if err != nil {
			a.refuse("the image's rule for devices %q: %w", text, err)
			continue
		}
		said := func(own string) bool { return plainRule(own) == plainRule(rule) }
		if !slices.ContainsFunc(a.wishes.DevfsRules, said) {
			a.consent("the device rule "+strconv.Quote(rule), fmt.Sprintf("%simage-%d=%s", engine.LabelDevfs, i+1, rule))
		}
	}
}

// plainRule leaves out the words of a devfs rule that change nothing.
func plainRule(rule string) string {
	words := strings.Fields(rule)
	for _, word := range []string{"add", "path"} {
		if len(words) > 1 && words[0] == word {
			words = words[1:]
		}
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "unhide" }), " ")
}

// datasets gives the user's, with what the image demands of them, and misses those that it cannot do without.
func (a *asks) datasets(j *engine.JailSpec) {
	for _, d := range a.wishes.Datasets {
		j.Datasets = append(j.Datasets, engine.JailDataset{Dataset: d})
	}
	for _, key := range slices.Sorted(maps.Keys(a.jail.Datasets)) {
		want := a.jail.Datasets[key]
		name := cmp.Or(want.Name, key)
		i := slices.IndexFunc(j.Datasets, func(d engine.JailDataset) bool { return d.Env == name || d.Env == key })
		switch {
		case i >= 0:
			j.Datasets[i].Props = want.RequiredProps
		case want.Required:
			var props []string
			for _, p := range slices.Sorted(maps.Keys(want.RequiredProps)) {
				props = append(props, p+"="+want.RequiredProps[p])
			}
			a.refuse("the image needs a ZFS dataset %s%s: give it with --label %s=%s:POOL/DATASET", name, described(strings.Join(props, ", ")), engine.LabelDataset, name)
		}
	}
}

// problems is everything that is wrong, as one error.
func problems(errs ...error) error {
	return engine.Joined("create", engine.ResourceContainer, errs...)
}

package translate

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/xcengine/xc/engine"
)

// mounts reads HostConfig.Binds and HostConfig.Mounts, in this order.
func mounts(h *container.HostConfig, roNonRecursive bool) ([]engine.MountSpec, error) {
	var out []engine.MountSpec
	for _, raw := range h.Binds {
		m, err := bind(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	for _, m := range h.Mounts {
		if err := checkMount(m); err != nil {
			return nil, err
		}
		out = append(out, mountSpec(m))
	}
	if roNonRecursive {
		for i := range out {
			if out[i].Kind == engine.MountBind && out[i].ReadOnly {
				out[i].ReadOnlyNonRecursive = true
			}
		}
	}
	return out, nil
}

var (
	propagations = []string{"private", "rprivate", "slave", "rslave", "shared", "rshared"}
	// bindOptions are the words of a bind's third part by the group of which only one may be given.
	bindOptions = [][]string{
		{"rw", "ro"},
		{"z", "Z"},
		propagations,
		{"nocopy"},
		{"consistent", "cached", "delegated"},
	}
)

// bindMode reports whether a string is a bind's list of options.
func bindMode(mode string) bool {
	if mode == "" {
		return true
	}
	seen := make([]bool, len(bindOptions))
	for o := range strings.SplitSeq(mode, ",") {
		g := slices.IndexFunc(bindOptions, func(group []string) bool { return slices.Contains(group, o) })
		if g < 0 || seen[g] {
			return false
		}
		seen[g] = true
	}
	return true
}

// bind reads "[source:]target[:options]". dockerd answers 500 to what is wrong with it.
func bind(raw string) (engine.MountSpec, error) {
	spec := func(why string) error {
		if why != "" {
			why = ": " + why
		}
		return faultf("invalid volume specification: '%s'%s", raw, why)
	}
	parts := strings.SplitN(raw, ":", 4)
	m := engine.MountSpec{Origin: engine.OriginBinds, Raw: raw, Kind: engine.MountVolume, CreateSource: true}
	switch len(parts) {
	case 1:
		m.Target = parts[0]
	case 2:
		if bindMode(parts[1]) {
			return m, spec("")
		}
		m.Source, m.Target = parts[0], parts[1]
	case 3:
		m.Source, m.Target, m.Mode = parts[0], parts[1], parts[2]
		if !bindMode(m.Mode) {
			return m, faultf("invalid mode: %s", m.Mode)
		}
	}
	if parts[0] == "" || len(parts) > 3 {
		return m, spec("")
	}
	if path.IsAbs(m.Source) {
		m.Kind, m.Source = engine.MountBind, path.Clean(m.Source)
	}
	for o := range strings.SplitSeq(m.Mode, ",") {
		switch {
		case o == "ro":
			m.ReadOnly = true
		case o == "nocopy":
			m.NoCopy = true
		case slices.Contains(propagations, o):
			m.Propagation = o
		case slices.Contains(bindOptions[4], o):
			m.Consistency = o
		}
	}
	if why := badBind(m); why != "" {
		return m, spec(why)
	}
	m.Target = path.Clean(m.Target)
	return m, nil
}

// badBind tells what is wrong with a bind that has the right form.
func badBind(m engine.MountSpec) string {
	why := badTarget(m.Target)
	switch {
	case why != "":
	case m.Kind == engine.MountBind && m.NoCopy:
		why = "field VolumeOptions must not be specified"
	case m.Kind == engine.MountVolume && m.Propagation != "":
		why = "field BindOptions must not be specified"
	default:
		return ""
	}
	return "invalid mount config for type " + strconv.Quote(string(m.Kind)) + ": " + why
}

// badTarget tells what is wrong with a path to mount upon.
func badTarget(p string) string {
	switch {
	case p == "":
		return "field Target must not be empty"
	case path.Clean(p) == "/":
		return "invalid specification: destination can't be '/'"
	case !path.IsAbs(p):
		return "invalid mount path: '" + p + "' mount path must be absolute"
	case strings.ContainsRune(p, 0):
		return "invalid mount path: it contains a NUL character"
	}
	return ""
}

// checkMount refuses one of HostConfig.Mounts. Whether its source exists is the engine's to tell.
func checkMount(m mount.Mount) error {
	why := badTarget(m.Target)
	if why == "" {
		switch m.Type {
		case mount.TypeBind:
			why = badBindMount(m)
		case mount.TypeVolume:
			why = badVolumeMount(m)
		case mount.TypeTmpfs:
			why = badTmpfsMount(m)
		case mount.TypeImage:
			why = badImageMount(m)
		default:
			why = "mount type unknown"
		}
	}
	if why != "" {
		return invalidf("invalid mount config for type %q: %s", m.Type, why)
	}
	return nil
}

func badBindMount(m mount.Mount) string {
	switch {
	case m.Source == "":
		return "field Source must not be empty"
	case m.BindOptions != nil && m.BindOptions.Propagation != "" && !slices.Contains(propagations, string(m.BindOptions.Propagation)):
		return "invalid propagation mode: " + string(m.BindOptions.Propagation)
	case m.VolumeOptions != nil:
		return "field VolumeOptions must not be specified"
	case m.ImageOptions != nil:
		return "field ImageOptions must not be specified"
	case !path.IsAbs(m.Source):
		return "invalid mount path: '" + m.Source + "' mount path must be absolute"
	case strings.ContainsRune(m.Source, 0):
		return "invalid mount path: it contains a NUL character"
	}
	return ""
}

func badVolumeMount(m mount.Mount) string {
	switch {
	case m.BindOptions != nil:
		return "field BindOptions must not be specified"
	case m.ImageOptions != nil:
		return "field ImageOptions must not be specified"
	case m.VolumeOptions != nil && m.VolumeOptions.Subpath != "" && m.Source == "":
		return "must not set Subpath when using anonymous volumes"
	case m.VolumeOptions != nil && m.VolumeOptions.Subpath != "" && !filepath.IsLocal(m.VolumeOptions.Subpath):
		return "subpath must be a relative path within the volume"
	case m.ReadOnly && m.Source == "":
		return "must not set ReadOnly mode when using anonymous volumes"
	}
	return ""
}

func badTmpfsMount(m mount.Mount) string {
	switch {
	case m.BindOptions != nil:
		return "field BindOptions must not be specified"
	case m.ImageOptions != nil:
		return "field ImageOptions must not be specified"
	case m.Source != "":
		return "field Source must not be specified"
	case m.TmpfsOptions == nil:
		return ""
	case m.TmpfsOptions.SizeBytes < 0:
		return "size must not be negative"
	}
	for _, o := range m.TmpfsOptions.Options {
		if len(o) < 1 || len(o) > 2 {
			return "invalid option array length"
		}
		if o[0] != "exec" && o[0] != "noexec" {
			return "invalid option: " + o[0]
		}
	}
	return ""
}

func badImageMount(m mount.Mount) string {
	switch {
	case m.BindOptions != nil:
		return "field BindOptions must not be specified"
	case m.VolumeOptions != nil:
		return "field VolumeOptions must not be specified"
	case m.Source == "":
		return "field Source must not be empty"
	case m.ImageOptions != nil && m.ImageOptions.Subpath != "" && !filepath.IsLocal(m.ImageOptions.Subpath):
		return "subpath must be a relative path within the volume"
	}
	return ""
}

// mountSpec reads one of HostConfig.Mounts that was checked.
func mountSpec(m mount.Mount) engine.MountSpec {
	s := engine.MountSpec{
		Kind: engine.MountKind(m.Type), Origin: engine.OriginMounts, Source: m.Source, Target: path.Clean(m.Target),
		ReadOnly: m.ReadOnly, Consistency: string(m.Consistency),
	}
	if m.Type == mount.TypeBind {
		s.Source = path.Clean(m.Source)
	}
	if o := m.BindOptions; o != nil {
		s.Propagation, s.NonRecursive, s.CreateSource = string(o.Propagation), o.NonRecursive, o.CreateMountpoint
		s.ReadOnlyNonRecursive, s.ReadOnlyForceRecursive = o.ReadOnlyNonRecursive, o.ReadOnlyForceRecursive
	}
	if o := m.VolumeOptions; o != nil {
		s.NoCopy, s.Subpath, s.VolumeLabels = o.NoCopy, o.Subpath, o.Labels
		if d := o.DriverConfig; d != nil {
			s.VolumeDriver, s.VolumeDriverOptions = d.Name, d.Options
		}
	}
	if o := m.ImageOptions; o != nil {
		s.Subpath = o.Subpath
	}
	if o := m.TmpfsOptions; o != nil {
		s.TmpfsSize, s.TmpfsMode, s.TmpfsOptions = o.SizeBytes, permissions(o.Mode), o.Options
	}
	return s
}

// permissions gives the mode of chmod(2) that a client meant: Docker's API carries those numbers, and Go's clients may set
// the bits that Go has for the same.
func permissions(m fs.FileMode) uint32 {
	bits := uint32(m & 0o7777)
	for _, special := range []struct {
		mode fs.FileMode
		bit  uint32
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if m&special.mode != 0 {
			bits |= special.bit
		}
	}
	return bits
}

// dockerMount gives a mount back as one of HostConfig.Mounts.
func dockerMount(s engine.MountSpec) mount.Mount {
	m := mount.Mount{Type: mount.Type(s.Kind), Source: s.Source, Target: s.Target, ReadOnly: s.ReadOnly, Consistency: mount.Consistency(s.Consistency)}
	switch s.Kind {
	case engine.MountBind:
		o := mount.BindOptions{
			Propagation: mount.Propagation(s.Propagation), NonRecursive: s.NonRecursive, CreateMountpoint: s.CreateSource,
			ReadOnlyNonRecursive: s.ReadOnlyNonRecursive, ReadOnlyForceRecursive: s.ReadOnlyForceRecursive,
		}
		m.BindOptions = given(o)
	case engine.MountVolume:
		o := mount.VolumeOptions{NoCopy: s.NoCopy, Labels: s.VolumeLabels, Subpath: s.Subpath}
		if s.VolumeDriver != "" || len(s.VolumeDriverOptions) > 0 {
			o.DriverConfig = &mount.Driver{Name: s.VolumeDriver, Options: s.VolumeDriverOptions}
		}
		if o.NoCopy || o.Labels != nil || o.Subpath != "" || o.DriverConfig != nil {
			m.VolumeOptions = &o
		}
	case engine.MountImage:
		m.ImageOptions = given(mount.ImageOptions{Subpath: s.Subpath})
	case engine.MountTmpfs:
		if s.TmpfsSize != 0 || s.TmpfsMode != 0 || s.TmpfsOptions != nil {
			m.TmpfsOptions = &mount.TmpfsOptions{SizeBytes: s.TmpfsSize, Mode: fs.FileMode(s.TmpfsMode), Options: s.TmpfsOptions}
		}
	}
	return m
}

// checkVolumesFrom refuses a "container[:mode]".
func checkVolumesFrom(spec string) error {
	if spec == "" {
		return invalidf("volumes-from specification cannot be an empty string")
	}
	_, mode, _ := strings.Cut(spec, ":")
	for o := range strings.SplitSeq(mode, ",") {
		if !bindMode(mode) || o == "nocopy" || slices.Contains(propagations, o) {
			return invalidf("invalid mode: %s", mode)
		}
	}
	return nil
}

// mountPoints renders the resolved mounts. dockerd shows the mode "z" for volumes that were asked for without one.
func mountPoints(points []engine.MountPoint) []container.MountPoint {
	out := make([]container.MountPoint, 0, len(points))
	for _, p := range points {
		m := container.MountPoint{
			Type: mount.Type(p.Kind), Name: p.Name, Source: p.Source, Destination: p.Target, Driver: p.Driver, Mode: p.Mode,
			RW: !p.ReadOnly, Propagation: mount.Propagation(p.Propagation),
		}
		if p.Kind == engine.MountVolume && p.Spec >= 0 && m.Mode == "" {
			m.Mode = "z"
		}
		out = append(out, m)
	}
	return out
}

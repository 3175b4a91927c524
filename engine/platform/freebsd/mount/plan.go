package mount

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/iov"
)

// Flags of nmount(2) and unmount(2) (sys/mount.h).
const (
	flagReadOnly = 0x1
	flagNoSuid   = 0x8
	flagIgnore   = 0x00800000 // not shown by df and mount without -v
	flagForce    = 0x00080000
)

// Wanted is one mount. Target is absolute inside the root.
type Wanted struct {
	FS       string // devfs, fdescfs, linprocfs, linsysfs, tmpfs, nullfs, procfs
	Source   string // nullfs: a host path
	Subpath  string // nullfs: what is mounted of Source, which no link leads out of
	Target   string
	ReadOnly bool
	NoSuid   bool
	File     bool        // nullfs of a single file
	Options  [][2]string // name, value; an empty value is a flag
}

// Plan decides a container's mounts, parents before children: what every root of that kind needs, then the container's
// own.
type Plan struct {
	Linux   bool
	Ruleset int                   // of devfs
	ShmSize int64                 // bytes of /dev/shm; 0 is 64 MiB
	Special []engine.SpecialMount // wanted by the image
	Mounts  []engine.Mount
	Tmpfs   map[string]string
}

const defaultShm = 64 << 20

// Render lists the mounts of a plan. An option that tmpfs(5) does not have is an error that names it.
func (p Plan) Render() ([]Wanted, error) {
	shm := p.ShmSize
	if shm == 0 {
		shm = defaultShm
	}
	all := []Wanted{{FS: "devfs", Target: "/dev", Options: [][2]string{{"ruleset", strconv.Itoa(p.Ruleset)}}}}
	fdescfs := Wanted{FS: "fdescfs", Target: "/dev/fd"}
	if p.Linux {
		// readlink of /dev/fd/N gives the real path, which Linux programs rely on (fdescfs(5)).
		fdescfs.Options = [][2]string{{"linrdlnk", ""}}
		all = append(all, Wanted{FS: "linprocfs", Target: "/proc"}, Wanted{FS: "linsysfs", Target: "/sys"})
	}
	all = append(all, fdescfs)
	if p.Linux {
		all = append(all, Wanted{FS: "tmpfs", Target: "/dev/shm", NoSuid: true, Options: [][2]string{{"mode", "1777"}, {"size", strconv.FormatInt(shm, 10)}}})
	}
	for _, m := range p.Special {
		if !slices.ContainsFunc(all, func(have Wanted) bool { return have.Target == path.Clean(m.Target) }) {
			all = append(all, Wanted{FS: m.Type, Target: path.Clean(m.Target)})
		}
	}
	for _, m := range p.Mounts {
		w, err := own(m)
		if err != nil {
			return nil, err
		}
		// The user's own mount takes the place of the engine's.
		all = slices.DeleteFunc(all, func(have Wanted) bool { return have.Target == w.Target })
		all = append(all, w)
	}
	slices.SortStableFunc(all, func(a, b Wanted) int { return strings.Count(a.Target, "/") - strings.Count(b.Target, "/") })
	return all, nil
}

func own(m engine.Mount) (Wanted, error) {
	w := Wanted{Source: m.Source, Subpath: m.Subpath, Target: path.Clean(m.Target), ReadOnly: m.ReadOnly}
	switch m.Kind {
	case engine.MountBind, engine.MountVolume, engine.MountImage:
		w.FS = "nullfs"
		return w, nil
	case engine.MountTmpfs:
		w.FS = "tmpfs"
		return tmpfs(w, m.Options)
	}
	return w, &engine.Error{Op: "mount", Kind: engine.NotImplemented, Resource: engine.ResourcePath, ID: m.Target, Reason: engine.ReasonUnsupported, Args: []string{"mount type " + string(m.Kind), "FreeBSD has none"}}
}

// tmpfs translates Docker's options, which are Linux's, into tmpfs(5)'s.
func tmpfs(w Wanted, options []string) (Wanted, error) {
	mode := "1777"
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		switch name {
		case "", "rw", "exec", "suid", "dev", "nodev", "noexec", "noatime", "relatime", "strictatime", "private", "rprivate":
			// what FreeBSD does anyway, or has no word for; noexec is told by Warnings
		case "ro":
			w.ReadOnly = true
		case "nosuid":
			w.NoSuid = true
		case "mode":
			if _, err := strconv.ParseUint(value, 8, 32); err != nil {
				return w, badOption(w, o)
			}
			mode = value
		case "uid", "gid", "nr_inodes":
			if _, err := strconv.ParseUint(value, 10, 32); err != nil {
				return w, badOption(w, o)
			}
			if name == "nr_inodes" {
				name = "inodes"
			}
			w.Options = append(w.Options, [2]string{name, value})
		case "size":
			n, err := units.RAMInBytes(value)
			if err != nil || n < 0 {
				return w, badOption(w, o)
			}
			w.Options = append(w.Options, [2]string{"size", strconv.FormatInt(n, 10)})
		default:
			return w, badOption(w, o)
		}
	}
	w.Options = append(w.Options, [2]string{"mode", mode})
	return w, nil
}

func badOption(w Wanted, option string) error {
	return &engine.Error{Op: "mount", Kind: engine.Invalid, Resource: engine.ResourcePath, ID: w.Target, Err: fmt.Errorf("invalid tmpfs option %q", option)}
}

// From is the host path that is mounted. Of a subpath it is only where it was: see VerifySubpath.
func (w Wanted) From() string { return path.Join(w.Source, w.Subpath) }

// Encode gives nmount(2)'s list and flags; target is the host path.
func (w Wanted) Encode(target string) (iov.List, int) {
	l := iov.List{}.String("fstype", w.FS).String("fspath", target)
	switch w.FS {
	case "nullfs":
		l = l.String("target", w.From()) // the name that mount_nullfs(8) gives it; "from" would be taken as well
	default:
		l = l.String("from", w.FS)
	}
	for _, o := range w.Options {
		if o[1] == "" {
			l = l.Flag(o[0])
			continue
		}
		l = l.String(o[0], o[1])
	}
	flags := flagIgnore
	if w.ReadOnly {
		flags |= flagReadOnly
	}
	if w.NoSuid {
		flags |= flagNoSuid
	}
	return l, flags
}

package oci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/subpath"
)

// partsDir is where a sandbox holds the parts of volumes that its container mounts: in its own directory, which nobody but this
// package removes, as what is mounted there is the user's.
func partsDir(sandbox string) string { return filepath.Join(sandbox, "parts") }

// holdParts gives the mounts of a volume's part a source that stays what was found there: the OCI runtime takes paths alone, and
// whoever else has the volume can put a link to the host at the part's own. They are undone by dropParts.
func holdParts(sandbox string, all []engine.Mount) ([]engine.Mount, error) {
	all = slices.Clone(all)
	for i, m := range all {
		if m.Subpath == "" {
			continue
		}
		at := filepath.Join(partsDir(sandbox), strconv.Itoa(i))
		if err := holdPart(m, at); err != nil {
			return nil, err
		}
		all[i].Source, all[i].Subpath = at, ""
	}
	return all, nil
}

func holdPart(m engine.Mount, at string) error {
	root, err := openRoot(m.Source)
	if err != nil {
		return err
	}
	defer root.close()
	part, err := root.openBeneath(m.Subpath)
	if err != nil {
		return subpath.Error(m.Source, m.Subpath, err)
	}
	defer unix.Close(part)
	if err := makePlace(part, at); err != nil {
		return err
	}
	if err := unix.Mount("/proc/self/fd/"+strconv.Itoa(part), at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s of %s at %s: %w", m.Subpath, m.Source, at, err)
	}
	return nil
}

// openBeneath opens what is at a path, through links that stay inside. One that leads out is EXDEV.
func (r rootDir) openBeneath(name string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	for {
		fd, err := unix.Openat2(r.fd, name, &how)
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) { // EAGAIN: something was renamed meanwhile
			return fd, err
		}
	}
}

// makePlace makes what a part is mounted on: a directory for one, else a file.
func makePlace(part int, at string) error {
	var st unix.Stat_t
	if err := unix.Fstat(part, &st); err != nil {
		return fmt.Errorf("stat %s: %w", at, err)
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return os.Mkdir(at, 0o700)
	}
	f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// removeSandboxDir removes a sandbox's own directory, unless a part of a volume cannot be unmounted from it.
func (r *Runtime) removeSandboxDir(id engine.ContainerID) error {
	if err := dropParts(r.places.sandbox(id)); err != nil {
		return err
	}
	return os.RemoveAll(r.places.sandbox(id))
}

// dropParts undoes holdParts. It removes empty places alone.
func dropParts(sandbox string) error {
	at := partsDir(sandbox)
	places, err := os.ReadDir(at)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, p := range places {
		place := filepath.Join(at, p.Name())
		if err := unmount(place); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, os.Remove(place))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.Remove(at)
}

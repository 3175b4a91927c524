package oci

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

var errNoDevice = errors.New("not a device node")

// nodeAt describes the device node at a path; another sort of file is errNoDevice.
func nodeAt(path string) (specs.LinuxDevice, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return specs.LinuxDevice{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	kinds := map[uint32]string{unix.S_IFBLK: "b", unix.S_IFCHR: "c"}
	kind, ok := kinds[st.Mode&unix.S_IFMT]
	if !ok {
		return specs.LinuxDevice{}, errNoDevice
	}
	mode := os.FileMode(st.Mode &^ unix.S_IFMT)
	return specs.LinuxDevice{
		Path: path, Type: kind, Major: int64(unix.Major(uint64(st.Rdev))), Minor: int64(unix.Minor(uint64(st.Rdev))),
		FileMode: &mode, UID: &st.Uid, GID: &st.Gid,
	}, nil
}

// findDevices looks up the devices that a container is given, with the rules that let it use them. A directory stands for
// all devices in it. A privileged container has every device of the host; the user's are added where they have another name.
func findDevices(r engine.Resources, privileged bool) ([]specs.LinuxDevice, []specs.LinuxDeviceCgroup, error) {
	var all []specs.LinuxDevice
	var rules []specs.LinuxDeviceCgroup
	if privileged {
		host, err := hostDevices("/dev")
		if err != nil {
			return nil, nil, err
		}
		all = host
	}
	for _, d := range r.Devices {
		if privileged && d.HostPath == d.Path {
			continue
		}
		found, err := devicesAt(d.HostPath, d.Path)
		if err != nil {
			var at *fs.PathError
			if errors.As(err, &at) {
				err = at.Err // the path is in the words around it
			}
			return nil, nil, &engine.Error{
				Op: "start", Kind: engine.Invalid, Resource: engine.ResourceContainer,
				Err: fmt.Errorf("error gathering device information while adding custom device %q: %w", d.HostPath, err),
			}
		}
		access := d.Access
		if access == "" {
			access = "rwm"
		}
		for _, n := range found {
			all = append(all, n)
			rules = append(rules, deviceRule(true, n.Type, n.Major, n.Minor, access))
		}
	}
	return all, rules, nil
}

// devicesAt lists the device at a host path, or those in the directory there, as they shall stand in a container.
func devicesAt(from, to string) ([]specs.LinuxDevice, error) {
	if to == "" {
		to = from
	}
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return nil, err
	}
	node, err := nodeAt(from)
	if err == nil {
		node.Path = to
		return []specs.LinuxDevice{node}, nil
	}
	if !errors.Is(err, errNoDevice) {
		return nil, err
	}
	var found []specs.LinuxDevice
	walkErr := filepath.WalkDir(from, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n, err := nodeAt(p); err == nil {
			n.Path = to + strings.TrimPrefix(p, from)
			found = append(found, n)
		}
		return nil
	})
	if walkErr != nil || len(found) > 0 {
		return found, walkErr
	}
	return nil, err
}

// skippedDirs are directories of /dev that every container has its own of, or that other container managers keep there.
var skippedDirs = []string{"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"}

func hostDevices(dir string) ([]specs.LinuxDevice, error) {
	var found []specs.LinuxDevice
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // devices come and go
			return nil
		case err != nil:
			return err
		case e.IsDir() && slices.Contains(skippedDirs, e.Name()):
			return fs.SkipDir
		case e.Name() == "console":
			return nil
		}
		if n, err := nodeAt(p); err == nil {
			found = append(found, n)
		}
		return nil
	})
	return found, err
}

// blockDevice finds the numbers of the device at a host path.
func blockDevice(path string) (major, minor int64, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, &engine.Error{Op: "start", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: &os.PathError{Op: "stat", Path: path, Err: err}}
	}
	return int64(unix.Major(uint64(st.Rdev))), int64(unix.Minor(uint64(st.Rdev))), nil
}

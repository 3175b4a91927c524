package overlay

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// mount mounts a root by the first of the three ways that takes its layers.
func mount(lowers []string, at root) error {
	if len(lowers) > maxLayers {
		return &engine.Error{Op: "mount", Kind: engine.Invalid, Err: fmt.Errorf("%d layers are more than the %d that overlayfs can stack", len(lowers), maxLayers)}
	}
	if data := mountOptions(lowers, at.upper(), at.work()); len(data) <= maxOptions {
		return mountClassic(data, at.merged())
	}
	err := mountByParts(lowers, at)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		return mountByDescriptors(lowers, at)
	}
	return err
}

func mountClassic(data, target string) error {
	if err := unix.Mount("overlay", target, "overlay", 0, data); err != nil {
		return &os.PathError{Op: "mount overlay", Path: target, Err: err}
	}
	return nil
}

// mountByParts uses the calls of Linux 5.2, with the parameter lowerdir+ of 6.7.
func mountByParts(lowers []string, at root) error {
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return &os.PathError{Op: "fsopen", Path: "overlay", Err: err}
	}
	defer unix.Close(fs)
	open := files{}
	defer open.close()
	var params [][2]string
	for _, l := range lowers {
		params = append(params, [2]string{"lowerdir+", open.short(l)})
	}
	// Of these two, and only these, the kernel takes backslashes away.
	params = append(params,
		[2]string{"upperdir", escape(open.short(at.upper()), `\`)}, [2]string{"workdir", escape(open.short(at.work()), `\`)},
		[2]string{"source", "overlay"})
	for _, o := range common {
		key, value, _ := strings.Cut(o, "=")
		params = append(params, [2]string{key, value})
	}
	if open.err != nil {
		return open.err
	}
	for _, p := range params {
		if err := unix.FsconfigSetString(fs, p[0], p[1]); err != nil {
			return &os.PathError{Op: "fsconfig " + p[0], Path: p[1], Err: err}
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return &os.PathError{Op: "mount overlay", Path: at.merged(), Err: err}
	}
	mnt, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "fsmount", Path: at.merged(), Err: err}
	}
	defer unix.Close(mnt)
	if err := unix.MoveMount(mnt, "", unix.AT_FDCWD, at.merged(), unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: at.merged(), Err: err}
	}
	return nil
}

// mountByDescriptors names the layers by descriptors, so that more of them fit in a page.
func mountByDescriptors(lowers []string, at root) error {
	open := files{}
	defer open.close()
	short := make([]string, len(lowers))
	for i, l := range lowers {
		short[i] = open.name(l)
	}
	data := mountOptions(short, open.name(at.upper()), open.name(at.work()))
	if open.err != nil {
		return open.err
	}
	if len(data) > maxOptions {
		return &engine.Error{Op: "mount", Kind: engine.Invalid, Err: fmt.Errorf("%d layers are more than this kernel's mount options can name", len(lowers))}
	}
	return mountClassic(data, at.merged())
}

// files are directories that are open while a mount is made, so that they have short names.
type files struct {
	open []*os.File
	err  error
}

// short returns a path that fsconfig takes as a string.
func (f *files) short(path string) string {
	if len(path) <= maxString {
		return path
	}
	return f.name(path)
}

// name opens a directory and returns its short name.
func (f *files) name(path string) string {
	file, err := os.OpenFile(path, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		f.err = errors.Join(f.err, err)
		return ""
	}
	f.open = append(f.open, file)
	return procName(int(file.Fd()))
}

func (f *files) close() {
	for _, file := range f.open {
		file.Close()
	}
}

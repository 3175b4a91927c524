package jail

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/iov"
)

// Flags of jail_set(2) and jail_get(2).
const (
	flagCreate = 0x01
	flagDying  = 0x08
	errmsgLen  = 1024
)

// kernelError is a refusal with the kernel's own words.
func kernelError(op, name string, msg []byte, err error) error {
	kind := engine.Internal
	switch {
	case errors.Is(err, unix.ENOENT):
		kind = engine.NotFound
	case errors.Is(err, unix.EINVAL):
		kind = engine.Invalid
	case errors.Is(err, unix.EEXIST):
		kind = engine.Conflict
	}
	if text := iov.Text(msg); text != "" {
		err = fmt.Errorf("%s: %w", text, err)
	}
	return &engine.Error{Op: op, Kind: kind, Resource: engine.ResourceContainer, ID: name, Err: err}
}

// Create makes a jail and returns its number. The kernel's text is in the error.
func Create(name string, params iov.List) (int, error) {
	l, msg := params.Buffer("errmsg", errmsgLen)
	jid, err := iov.Call(unix.SYS_JAIL_SET, l, flagCreate)
	if err != nil {
		return 0, kernelError("create jail", name, msg, err)
	}
	return jid, nil
}

// Find returns a jail's number by its name. A dying jail is not found.
func Find(name string) (int, error) {
	l, msg := iov.List{}.String("name", name).Buffer("errmsg", errmsgLen)
	jid, err := iov.Call(unix.SYS_JAIL_GET, l, 0)
	if err != nil {
		return 0, kernelError("find jail", name, msg, err)
	}
	return jid, nil
}

// Names lists the names of all jails, dying ones included.
func Names() ([]string, error) {
	var names []string
	for last := int32(0); ; {
		l, name := iov.List{}.Int("lastjid", last).Buffer("name", 256)
		jid, err := iov.Call(unix.SYS_JAIL_GET, l, flagDying)
		if errors.Is(err, unix.ENOENT) {
			return names, nil
		}
		if err != nil {
			return nil, kernelError("list jails", "", nil, err)
		}
		names = append(names, iov.Text(name))
		last = int32(jid)
	}
}

// Remove kills everything in a jail and removes it. One that is gone is no error.
func Remove(jid int) error {
	if _, _, errno := unix.Syscall(unix.SYS_JAIL_REMOVE, uintptr(jid), 0, 0); errno != 0 && errno != unix.EINVAL && errno != unix.ENOENT {
		return kernelError("remove jail", fmt.Sprint(jid), nil, errno)
	}
	return nil
}

// Attach puts this process into a jail, for good. Every open directory would be a way out: close them before.
func Attach(jid int) error {
	if _, _, errno := unix.Syscall(unix.SYS_JAIL_ATTACH, uintptr(jid), 0, 0); errno != 0 {
		return kernelError("attach to jail", fmt.Sprint(jid), nil, errno)
	}
	return nil
}

package jail

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/iov"
	"github.com/xcengine/xc/engine/platform/freebsd/sysctl"
)

// Flags of jail_set(2) and jail_get(2).
const (
	flagCreate = 0x01
	flagUpdate = 0x02
	flagDying  = 0x08
	errmsgLen  = 1024
	nameLen    = 256 // sys/param.h: MAXHOSTNAMELEN
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

// Update changes parameters of a living jail; those that are not given stay.
func Update(name string, params iov.List) error {
	l, msg := append(iov.List{}.String("name", name), params...).Buffer("errmsg", errmsgLen)
	if _, err := iov.Call(unix.SYS_JAIL_SET, l, flagUpdate); err != nil {
		return kernelError("update jail", name, msg, err)
	}
	return nil
}

// Rename gives a living jail another name, without its parents'. Those of the jails in it change with it.
func Rename(jid int, name string) error {
	l, msg := iov.List{}.Int("jid", int32(jid)).String("name", name).Buffer("errmsg", errmsgLen)
	if _, err := iov.Call(unix.SYS_JAIL_SET, l, flagUpdate); err != nil {
		return kernelError("rename jail", fmt.Sprint(jid), msg, err)
	}
	return nil
}

// Info is what the kernel tells of a jail.
type Info struct {
	JID         int
	Name        string
	VNET        bool // it has a network stack of its own
	ChildrenMax int
	ChildrenCur int
}

// Find returns a jail by its name. A dying jail is not found.
func Find(name string) (Info, error) {
	return read("find jail", iov.List{}.String("name", name), name)
}

// FindJID returns a jail by its number. A dying jail is not found.
func FindJID(jid int) (Info, error) {
	return read("find jail", iov.List{}.Int("jid", int32(jid)), fmt.Sprint(jid))
}

func read(op string, key iov.List, id string) (Info, error) {
	l, vnet := key.Buffer("vnet", 4)
	l, most := l.Buffer("children.max", 4)
	l, have := l.Buffer("children.cur", 4)
	var name []byte
	if key[0].Name == "jid" {
		l, name = l.Buffer("name", nameLen)
	}
	l, msg := l.Buffer("errmsg", errmsgLen)
	jid, err := iov.Call(unix.SYS_JAIL_GET, l, 0)
	if err != nil {
		return Info{}, kernelError(op, id, msg, err)
	}
	info := Info{
		JID: jid, Name: id, VNET: int32(binary.NativeEndian.Uint32(vnet)) == sysNew,
		ChildrenMax: int(binary.NativeEndian.Uint32(most)), ChildrenCur: int(binary.NativeEndian.Uint32(have)),
	}
	if name != nil {
		info.Name = iov.Text(name)
	}
	return info, nil
}

// Exists reports whether a jail is there, be it dying.
func Exists(jid int) bool {
	_, err := iov.Call(unix.SYS_JAIL_GET, iov.List{}.Int("jid", int32(jid)), flagDying)
	return err == nil
}

// Names lists the names of all jails that are not dying.
func Names() ([]string, error) {
	var names []string
	for last := int32(0); ; {
		l, name := iov.List{}.Int("lastjid", last).Buffer("name", nameLen)
		jid, err := iov.Call(unix.SYS_JAIL_GET, l, 0)
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

// Knows reports whether this kernel has a parameter; some exist only while a module is loaded. One that others are below, as
// those of allow.mount are, is described by a variable without a last part.
func Knows(param string) bool {
	name := "security.jail.param." + param
	if _, err := unix.SysctlRaw(name); err == nil {
		return true
	}
	below, err := sysctl.Below(name)
	return err == nil && slices.Contains(below, name+".")
}

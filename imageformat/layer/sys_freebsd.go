package layer

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// groupFromParent: a new file always gets its directory's group: open(2).
const groupFromParent = true

func statFlags(st *unix.Stat_t) uint32 { return st.Flags }

// clearFlags removes flags that forbid removal from a file and from the directory around it, and reports whether there
// were any. Base systems have them on libc, init and the like.
func clearFlags(dir int, name string) bool {
	cleared := false
	if st, err := statAt(dir, name); err == nil && st.flags&forbidding != 0 {
		cleared = setFlags(dir, name, st.flags&^forbidding) == nil
	}
	if st, err := statFD(dir); err == nil && st.flags&forbidding != 0 {
		cleared = unix.Fchflags(dir, int(st.flags&^forbidding)) == nil || cleared
	}
	return cleared
}

func clearDirFlags(fd int, flags uint32) error {
	return retry(func() error { return unix.Fchflags(fd, int(flags&^forbidding)) })
}

func setFlags(dir int, name string, flags uint32) error {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	return retry(func() error {
		_, _, errno := unix.Syscall6(unix.SYS_CHFLAGSAT, uintptr(dir), uintptr(unsafe.Pointer(p)), uintptr(flags),
			unix.AT_SYMLINK_NOFOLLOW, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
}

func mknod(dir int, name string, mode uint32, major, minor int64) error {
	dev := uint64(0)
	if mode&unix.S_IFMT != unix.S_IFIFO { // mknodat(2) wants none for a pipe
		dev = uint64(major&0xffffff00)<<32 | uint64(major&0xff)<<8 | uint64(minor&0xff00)<<24 | uint64(minor&0xffff00ff)
	}
	return retry(func() error { return unix.Mknodat(dir, name, mode, dev) })
}

// DeviceNumbers takes a device number apart, as sys/types.h does since FreeBSD 12; x/sys knows the numbers of before.
func DeviceNumbers(dev uint64) (major, minor int64) {
	return int64(dev>>32&0xffffff00 | dev>>8&0xff), int64(dev>>24&0xff00 | dev&0xffff00ff)
}

func setOpaque(int) error { return unix.ENOTSUP }

func isOpaque(int) bool { return false }

// usableXattr: only the user namespace of extended attributes is kept, under Linux' name for it.
func usableXattr(key string) bool { return strings.HasPrefix(key, "user.") }

// xattrPath: nothing names a file below a descriptor here.
func xattrPath(int, string) (string, bool) { return "", false }

// xattrsTouch: ZFS' change times were seen to stand still when an attribute was set.
const xattrsTouch = false

const errNoAttr = unix.ENOATTR

func pathXattrs(string) xattrCalls { return xattrCalls{} }

func fdXattrs(fd int) xattrCalls {
	return xattrCalls{
		list: func(dest []byte) (int, error) { return unix.FlistxattrNS(fd, unix.EXTATTR_NAMESPACE_USER, dest) },
		get:  func(key string, dest []byte) (int, error) { return unix.Fgetxattr(fd, key, dest) },
	}
}

// xattrNames reads a list: names of the user namespace with their length in a byte before each: extattr_list_fd(2).
func xattrNames(list []byte) []string {
	var names []string
	for len(list) > 0 && 1+int(list[0]) <= len(list) {
		end := 1 + int(list[0])
		names = append(names, "user."+string(list[1:end]))
		list = list[end:]
	}
	return names
}

// cloneFile: there is no call for whole files here; copy_file_range(2) shares blocks by itself on ZFS.
func cloneFile(int, int) (bool, error) { return false, nil }

// sysCopyFileRange is copy_file_range(2) of FreeBSD 13.0, which x/sys does not name.
const sysCopyFileRange = 569

func copyInKernel(dst, src int, off, n int64) (int64, error) {
	from, to := off, off
	var m uintptr
	err := retry(func() error {
		var errno unix.Errno
		m, _, errno = unix.Syscall6(sysCopyFileRange, uintptr(src), uintptr(unsafe.Pointer(&from)), uintptr(dst),
			uintptr(unsafe.Pointer(&to)), uintptr(min(n, 1<<30)), 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
	return int64(m), err
}

// Sync starts writing everything of all file systems to their disks: there is no call for one of them.
func Sync(string) error {
	_, _, errno := unix.Syscall(unix.SYS_SYNC, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Boot names this boot of the machine; what was written in another one and not synced may be lost. Empty is not known.
// Before kern.boot_id there was only the time of the boot, which moves when the clock is set.
func Boot() string {
	if raw, err := unix.SysctlRaw("kern.boot_id"); err == nil && len(raw) > 0 {
		return hex.EncodeToString(raw)
	}
	if at, err := unix.SysctlTimeval("kern.boottime"); err == nil {
		return strconv.FormatInt(int64(at.Sec), 10)
	}
	return ""
}

package layer

import (
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
	return retry(func() error {
		return unix.Mknodat(dir, name, mode, unix.Mkdev(uint32(major), uint32(minor)))
	})
}

func deviceNumbers(dev uint64) (major, minor int64) {
	return int64(unix.Major(dev)), int64(unix.Minor(dev))
}

func setOpaque(int) error { return unix.ENOTSUP }

func isOpaque(int) bool { return false }

// usableXattr: only the user namespace of extended attributes is kept, under Linux' name for it.
func usableXattr(key string) bool { return strings.HasPrefix(key, "user.") }

// xattrPath: nothing names a file below a descriptor here.
func xattrPath(int, string) (string, bool) { return "", false }

const errNoAttr = unix.ENOATTR

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

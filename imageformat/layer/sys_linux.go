package layer

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// groupFromParent: whether a new file gets its directory's group, unless that has the setgid bit.
const groupFromParent = false

func statFlags(*unix.Stat_t) uint32 { return 0 }

func clearFlags(int, string) bool { return false }

func clearDirFlags(int, uint32) error { return nil }

func setFlags(int, string, uint32) error { return nil }

func mknod(dir int, name string, mode uint32, major, minor int64) error {
	return retry(func() error {
		return unix.Mknodat(dir, name, mode, int(unix.Mkdev(uint32(major), uint32(minor))))
	})
}

// DeviceNumbers takes a device number apart.
func DeviceNumbers(dev uint64) (major, minor int64) {
	return int64(unix.Major(dev)), int64(unix.Minor(dev))
}

const opaqueXattr = "trusted.overlay.opaque"

// setOpaque hides what lower layers have in the directory.
func setOpaque(fd int) error {
	return retry(func() error { return unix.Fsetxattr(fd, opaqueXattr, []byte("y"), 0) })
}

func isOpaque(fd int) bool {
	var b [1]byte
	n, err := unix.Fgetxattr(fd, opaqueXattr, b[:])
	return err == nil && n == 1 && b[0] == 'y'
}

// usableXattr reports whether an image may set or carry an attribute: not overlayfs' own, which would reach into other
// layers, and not labels of the host's security policy.
func usableXattr(key string) bool {
	switch {
	case strings.HasPrefix(key, "trusted.overlay."), key == "security.selinux", key == "security.ima", key == "security.evm",
		strings.HasPrefix(key, "security.apparmor"):
		return false
	}
	return strings.HasPrefix(key, "user.") || strings.HasPrefix(key, "security.") || strings.HasPrefix(key, "trusted.") ||
		key == "system.posix_acl_access" || key == "system.posix_acl_default"
}

// xattrPath names a file for the calls that know only paths.
func xattrPath(dir int, name string) (string, bool) {
	return "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name, true
}

// xattrsTouch: setting an attribute sets the change time.
const xattrsTouch = true

const errNoAttr = unix.ENODATA

func pathXattrs(path string) xattrCalls {
	return xattrCalls{
		list: func(dest []byte) (int, error) { return unix.Llistxattr(path, dest) },
		get:  func(key string, dest []byte) (int, error) { return unix.Lgetxattr(path, key, dest) },
	}
}

func fdXattrs(fd int) xattrCalls {
	return xattrCalls{
		list: func(dest []byte) (int, error) { return unix.Flistxattr(fd, dest) },
		get:  func(key string, dest []byte) (int, error) { return unix.Fgetxattr(fd, key, dest) },
	}
}

// xattrNames reads a list: names with a NUL behind each.
func xattrNames(list []byte) []string {
	return strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
}

// cloneFile makes dst share all blocks of src; false where the file system cannot.
func cloneFile(dst, src int) (bool, error) {
	err := retry(func() error { return unix.IoctlFileClone(dst, src) })
	for _, cannot := range []error{unix.EOPNOTSUPP, unix.EXDEV, unix.EINVAL, unix.ENOTTY, unix.ENOSYS, unix.EPERM} {
		if errors.Is(err, cannot) {
			return false, nil
		}
	}
	return err == nil, err
}

func copyInKernel(dst, src int, off, n int64) (int64, error) {
	from, to := off, off
	var m int
	err := retry(func() (err error) {
		m, err = unix.CopyFileRange(src, &from, dst, &to, int(min(n, 1<<30)), 0)
		return err
	})
	return int64(m), err
}

// Sync writes everything of the file system that path is on to its disk.
func Sync(path string) error {
	fd, err := openAt(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return at("open", path, err)
	}
	defer unix.Close(fd)
	return at("syncfs", path, unix.Syncfs(fd))
}

// Boot names this boot of the machine; what was written in another one and not synced may be lost. Empty is not known.
func Boot() string {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

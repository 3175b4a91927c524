package archive

import (
	"os/exec"

	"golang.org/x/sys/unix"
)

// mountTmpfs mounts an empty tmpfs.
func mountTmpfs(at string) error {
	return exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", at).Run()
}

// mknod bridges the types that mknodat's last argument has on different systems.
func mknod(name string, mode, major, minor uint32) error {
	return mknodAt(unix.Mknodat, name, mode, unix.Mkdev(major, minor))
}

func mknodAt[D int | uint64](call func(int, string, uint32, D) error, name string, mode uint32, dev uint64) error {
	return call(unix.AT_FDCWD, name, mode, D(dev))
}

package devfs

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nextSet is DEVFSIO_SGETNEXT (sys/fs/devfs/devfs.h): _IOWR('D', 12, devfs_rsnum), the number of the next ruleset.
const nextSet = 0xc0000000 | 2<<16 | 'D'<<8 | 12

// Sets lists the numbers of the rulesets that the kernel has, ascending.
func Sets() ([]int, error) {
	dev, err := os.Open("/dev")
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	var sets []int
	for {
		var number uint16
		if len(sets) > 0 {
			number = uint16(sets[len(sets)-1])
		}
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, dev.Fd(), nextSet, uintptr(unsafe.Pointer(&number)))
		switch {
		case errno == unix.EINTR:
		case errors.Is(errno, unix.ENOENT):
			return sets, nil
		case errno != 0:
			return nil, &os.SyscallError{Syscall: "ioctl of /dev for its rulesets", Err: errno}
		default:
			sets = append(sets, int(number))
		}
	}
}

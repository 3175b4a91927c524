package zfs

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Numbers of OpenZFS on FreeBSD (sys/fs/zfs.h, zfs_ioctl_compat.h); new ones are only ever added after them.
const (
	callVersion = 15 // ZFS_IOCVER_OZFS
	callDestroy = 0x18
	callClone   = 0x42

	nameSize = 1024     // of zfs_cmd_t's first member; the list's address and size follow
	cmdSize  = 64 << 10 // zfs_cmd_t is 5 KiB or more, as the release has it: the kernel takes and gives back its own size
)

// device makes those calls of ZFS that each container needs, by /dev/zfs, as libzfs_core does.
type device struct{ file *os.File }

// openDevice gives nil where there is none.
func openDevice() *device {
	f, err := os.OpenFile("/dev/zfs", os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	return &device{f}
}

func (d *device) clone(snapshot, dataset string, props []string) bool {
	numbers, ok := numbers(props)
	return ok && d.call(callClone, dataset, list{{"origin", snapshot}, {"props", numbers}}.pack()) == nil
}

func (d *device) destroy(dataset string) bool {
	err := d.call(callDestroy, dataset, nil)
	return err == nil || errors.Is(err, unix.ENOENT)
}

// call makes one call upon a dataset.
func (d *device) call(number uint, dataset string, packed []byte) error {
	if len(dataset) >= nameSize {
		return unix.ENAMETOOLONG
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	cmd := make([]byte, cmdSize)
	copy(cmd, dataset)
	if len(packed) > 0 {
		pins.Pin(&packed[0])
		binary.NativeEndian.PutUint64(cmd[nameSize:], uint64(uintptr(unsafe.Pointer(&packed[0]))))
		binary.NativeEndian.PutUint64(cmd[nameSize+8:], uint64(len(packed)))
	}
	pins.Pin(&cmd[0])
	param := struct {
		version uint32
		cmd     uint64
		size    uint64
	}{callVersion, uint64(uintptr(unsafe.Pointer(&cmd[0]))), cmdSize}
	const both, size = 0xc0000000, 24 // _IOWR of that structure
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, d.file.Fd(), uintptr(both|size<<16|'Z'<<8|number), uintptr(unsafe.Pointer(&param)))
	if errno != 0 {
		return errno
	}
	return nil
}

package pf

import (
	"net/netip"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations upon tables: _IOWR('D', n, struct pfioc_table).
const (
	tableOp = 0xc0000000 | (unsafe.Sizeof(tableRequest{})&0x1fff)<<16 | 'D'<<8

	addTables    = tableOp | 61 // DIOCRADDTABLES
	setAddresses = tableOp | 69 // DIOCRSETADDRS
)

// setTable makes a table hold exactly these addresses, and makes it if it is not there. It is what pfctl(8) does for -T replace.
func setTable(name string, addrs []netip.Addr) error {
	pf, err := os.OpenFile("/dev/pf", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer pf.Close()
	table := newTableSpec(name)
	table.Flags = tablePersists
	r := tableRequest{ElementSize: int32(unsafe.Sizeof(table)), Size: 1}
	if err := tableCall(pf, addTables, &r, unsafe.Pointer(&table)); err != nil {
		return err
	}
	list := tableAddrs(addrs)
	r = tableRequest{Table: newTableSpec(name), ElementSize: int32(unsafe.Sizeof(tableAddr{})), Size: int32(len(list))}
	return tableCall(pf, setAddresses, &r, unsafe.Pointer(unsafe.SliceData(list)))
}

func tableCall(pf *os.File, op uintptr, r *tableRequest, buffer unsafe.Pointer) error {
	var pinned runtime.Pinner
	defer pinned.Unpin()
	if buffer != nil {
		pinned.Pin(buffer)
	}
	r.Buffer = buffer
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, pf.Fd(), op, uintptr(unsafe.Pointer(r)))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return &os.SyscallError{Syscall: "ioctl of /dev/pf for a table", Err: errno}
		}
	}
}

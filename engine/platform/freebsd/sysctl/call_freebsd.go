package sysctl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Names below the node 0, which tell of variables (kern_sysctl.c).
const (
	metaNameToOID = 3
	metaFormat    = 4
)

// Find asks the kernel for a variable. It is unix.ENOENT for a name that this kernel does not have.
func Find(name string) (Variable, error) {
	oid, err := lookup(name)
	if err != nil {
		return Variable{}, err
	}
	var format [256]byte
	n, err := call(append([]int32{0, metaFormat}, oid...), format[:], nil)
	if err != nil || n < 4 {
		return Variable{}, fmt.Errorf("sysctl %s: format: %w", name, err)
	}
	return Variable{Kind: binary.LittleEndian.Uint32(format[:])}, nil
}

// Set gives a variable a value: in a jail, the jail's.
func Set(s Setting) error {
	v, err := Find(s.Name)
	if err != nil {
		return err
	}
	value, err := v.encode(s)
	if err != nil {
		return err
	}
	oid, err := lookup(s.Name)
	if err != nil {
		return err
	}
	if _, err := call(oid, nil, value); err != nil {
		return fmt.Errorf("sysctl %s=%s: %w", s.Name, s.Value, err)
	}
	return nil
}

// lookup turns a name into the numbers that the kernel knows it by.
func lookup(name string) ([]int32, error) {
	if name == "" {
		return nil, fmt.Errorf("sysctl without a name: %w", unix.ENOENT)
	}
	var found [4 * 24]byte // CTL_MAXNAME numbers
	n, err := call([]int32{0, metaNameToOID}, found[:], []byte(name))
	if err != nil {
		return nil, fmt.Errorf("sysctl %s: %w", name, err)
	}
	var oid []int32
	for b := found[:n]; len(b) >= 4; b = b[4:] {
		oid = append(oid, int32(binary.LittleEndian.Uint32(b)))
	}
	if len(oid) == 0 {
		return nil, errors.New("sysctl " + name + ": the kernel gave no number")
	}
	return oid, nil
}

// call is __sysctl(2). It returns how much of old was filled.
func call(oid []int32, old, value []byte) (int, error) {
	size := uintptr(len(old))
	var oldp, valuep unsafe.Pointer
	var sizep *uintptr
	if len(old) > 0 {
		oldp, sizep = unsafe.Pointer(&old[0]), &size
	}
	if len(value) > 0 {
		valuep = unsafe.Pointer(&value[0])
	}
	_, _, errno := unix.Syscall6(unix.SYS___SYSCTL, uintptr(unsafe.Pointer(&oid[0])), uintptr(len(oid)), uintptr(oldp), uintptr(unsafe.Pointer(sizep)), uintptr(valuep), uintptr(len(value)))
	if errno != 0 {
		return 0, errno
	}
	return int(size), nil
}

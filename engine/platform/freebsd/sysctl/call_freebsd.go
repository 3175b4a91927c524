package sysctl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Names below the node 0, which tell of variables (kern_sysctl.c).
const (
	metaName      = 1
	metaNext      = 2
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

// Below lists the variables below a node, none for a name that this kernel does not have. One may have no last part, as
// "security.jail.param.allow.mount." has none.
func Below(node string) ([]string, error) {
	oid, err := lookup(node)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	var names []string
	for prefix := node + "."; err == nil; {
		var found [4 * 24]byte // CTL_MAXNAME numbers
		var n int
		if n, err = call(append([]int32{0, metaNext}, oid...), found[:], nil); err != nil {
			break
		}
		oid = decodeOID(found[:n])
		var name [1024]byte
		if n, err = call(append([]int32{0, metaName}, oid...), name[:], nil); err != nil {
			break
		}
		text := unix.ByteSliceToString(name[:n])
		if !strings.HasPrefix(text, prefix) {
			return names, nil
		}
		names = append(names, text)
	}
	if errors.Is(err, unix.ENOENT) {
		return names, nil // it was the last node of all
	}
	return names, fmt.Errorf("sysctl %s: %w", node, err)
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
	oid := decodeOID(found[:n])
	if len(oid) == 0 {
		return nil, errors.New("sysctl " + name + ": the kernel gave no number")
	}
	return oid, nil
}

// decodeOID reads the numbers that the kernel knows a variable by.
func decodeOID(b []byte) (oid []int32) {
	for ; len(b) >= 4; b = b[4:] {
		oid = append(oid, int32(binary.LittleEndian.Uint32(b)))
	}
	return oid
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

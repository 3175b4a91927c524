// Package iov holds name and value lists as jail_set(2), jail_get(2) and nmount(2) take them: a flat array of iovecs, two for
// each pair, names with their NUL. What a value is, is decided here, once: a string with its NUL, a 32-bit integer in the
// machine's order, addresses as packed bytes, or nothing for a flag.
package iov

import (
	"encoding/binary"
	"net/netip"
)

// Pair is one name with its value as the kernel reads it. A nil Value is a flag: present or not.
type Pair struct {
	Name  string
	Value []byte
}

// List is what one call takes, in order.
type List []Pair

// Flag appends a name without a value. The kernel reads "allow.mount" as on and "allow.nomount" as off.
func (l List) Flag(name string) List { return append(l, Pair{Name: name}) }

// String appends a string. It must not hold a NUL: the kernel would read what is before it.
func (l List) String(name, value string) List {
	return append(l, Pair{name, append([]byte(value), 0)})
}

// Int appends a 32-bit integer.
func (l List) Int(name string, value int32) List {
	return append(l, Pair{name, binary.NativeEndian.AppendUint32(nil, uint32(value))})
}

// Addrs appends addresses of one family, packed.
func (l List) Addrs(name string, addrs []netip.Addr) List {
	var b []byte
	for _, a := range addrs {
		b = append(b, a.AsSlice()...)
	}
	return append(l, Pair{name, b})
}

// Buffer appends room for an answer of n bytes and returns it.
func (l List) Buffer(name string, n int) (List, []byte) {
	b := make([]byte, n)
	return append(l, Pair{name, b}), b
}

// Flatten gives the buffers in the order of the iovec array; a flag's second buffer is nil.
func (l List) Flatten() [][]byte {
	flat := make([][]byte, 0, 2*len(l))
	for _, p := range l {
		flat = append(flat, append([]byte(p.Name), 0), p.Value)
	}
	return flat
}

// Text reads a NUL-terminated answer.
func Text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

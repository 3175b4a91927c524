package zfs

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// list is an nvlist of libnvpair, with unique names, as far as calls of ZFS take it from us.
type list []pair

// pair is one entry of a list; its value is a string, a uint64 or a list.
type pair struct {
	name  string
	value any
}

// Types of values, and the size of the structure that stands for a list in a pair (sys/nvpair.h).
const (
	typeUint64   = 8
	typeString   = 9
	typeList     = 19
	pairHeader   = 16
	listHeader   = 24
	flagUnique   = 1
	littleEndian = 1
)

// pack gives the list in libnvpair's native encoding, which is the machine's own order of bytes: encoding, order, version,
// flags, then the pairs and a size of 0.
func (l list) pack() []byte {
	order := byte(0)
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		order = littleEndian
	}
	b := []byte{0, order, 0, 0}
	b = word(b, 0)
	b = word(b, flagUnique)
	return l.pairs(b)
}

func (l list) pairs(b []byte) []byte {
	for _, p := range l {
		begin, kind := len(b), 0
		b = append(b, make([]byte, pairHeader)...)
		b = append(b, p.name...)
		b = pad(append(b, 0), begin)
		switch v := p.value.(type) {
		case string:
			kind = typeString
			b = pad(append(append(b, v...), 0), begin)
		case uint64:
			kind = typeUint64
			b = binary.NativeEndian.AppendUint64(b, v)
		case list:
			kind = typeList
			at := len(b)
			b = append(b, make([]byte, listHeader)...)
			binary.NativeEndian.PutUint32(b[at+4:], flagUnique)
		}
		head := b[begin:]
		binary.NativeEndian.PutUint32(head, uint32(len(head)))
		binary.NativeEndian.PutUint16(head[4:], uint16(len(p.name)+1))
		binary.NativeEndian.PutUint32(head[8:], 1)
		binary.NativeEndian.PutUint32(head[12:], uint32(kind))
		if inner, ok := p.value.(list); ok { // beyond what the pair's size counts
			b = inner.pairs(b)
		}
	}
	return word(b, 0)
}

func word(b []byte, v uint32) []byte { return binary.NativeEndian.AppendUint32(b, v) }

// pad fills up to a multiple of 8 from begin.
func pad(b []byte, begin int) []byte {
	for (len(b)-begin)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

// canMountNoAuto is sys/fs/zfs.h's number for canmount=noauto.
const canMountNoAuto = 2

// numbers turns properties, as zfs(8) is given them, into the numbers that the kernel is given. It reports false where one is
// not known.
func numbers(props []string) (list, bool) {
	l := list{}
	for _, p := range props {
		name, value, _ := strings.Cut(p, "=")
		n, err := strconv.ParseUint(value, 10, 64)
		switch {
		case name == "refquota" && err == nil:
		case p == "canmount=noauto":
			n = canMountNoAuto
		default:
			return nil, false
		}
		l = append(l, pair{name, n})
	}
	return l, true
}

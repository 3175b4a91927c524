package wire

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

var errField = errors.New("malformed message")

// encoder builds a message.
type encoder struct{ b []byte }

func (e *encoder) bytes(tag uint64, v []byte) {
	if len(v) == 0 {
		return
	}
	e.b = binary.AppendUvarint(e.b, tag)
	e.b = binary.AppendUvarint(e.b, uint64(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) string(tag uint64, v string) { e.bytes(tag, []byte(v)) }

// addrPort writes what decodes as the zero value when it is not valid: nothing.
func (e *encoder) addrPort(tag uint64, v netip.AddrPort) {
	if v.IsValid() {
		e.string(tag, v.String())
	}
}

func (e *encoder) strings(tag uint64, vs []string) {
	for _, v := range vs {
		// Within a list the empty string counts, so that every element is a message of its own.
		var one encoder
		one.string(1, v)
		e.message(tag, one)
	}
}

func (e *encoder) int(tag uint64, v int64) {
	if v != 0 {
		e.bytes(tag, binary.AppendVarint(nil, v))
	}
}

func (e *encoder) bool(tag uint64, v bool) {
	if v {
		e.int(tag, 1)
	}
}

// message appends a message as a field, also an empty one.
func (e *encoder) message(tag uint64, m encoder) {
	e.b = binary.AppendUvarint(e.b, tag)
	e.b = binary.AppendUvarint(e.b, uint64(len(m.b)))
	e.b = append(e.b, m.b...)
}

// decoder reads a message field by field.
type decoder struct {
	b     []byte
	tag   uint64
	value []byte
	err   error
}

// next goes on to the next field; it is false at the end and at what is malformed.
func (d *decoder) next() bool {
	if d.err != nil || len(d.b) == 0 {
		return false
	}
	tag, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.err = errField
		return false
	}
	length, m := binary.Uvarint(d.b[n:])
	if m <= 0 || length > uint64(len(d.b)-n-m) {
		d.err = errField
		return false
	}
	from := n + m
	d.tag, d.value, d.b = tag, d.b[from:from+int(length)], d.b[from+int(length):]
	return true
}

func (d *decoder) string() string { return string(d.value) }

func (d *decoder) bytes() []byte { return append([]byte(nil), d.value...) }

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.value)
	if n != len(d.value) || n <= 0 {
		d.err = errField
		return 0
	}
	return v
}

func (d *decoder) bool() bool { return d.int() != 0 }

// element reads one string of a list.
func (d *decoder) element() string {
	one := decoder{b: d.value}
	s := ""
	for one.next() {
		if one.tag == 1 {
			s = one.string()
		}
	}
	d.join(one)
	return s
}

func (d *decoder) addrPort() netip.AddrPort {
	a, err := netip.ParseAddrPort(string(d.value))
	if err != nil {
		d.err = errField
	}
	return a
}

// join takes over the error of a message within this one.
func (d *decoder) join(inner decoder) {
	if d.err == nil {
		d.err = inner.err
	}
}

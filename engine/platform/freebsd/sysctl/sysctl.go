package sysctl

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// Flags of a variable (sys/sysctl.h).
const (
	flagWrite  = 0x40000000
	flagPrison = 0x04000000
	flagVNET   = 0x00020000
	typeMask   = 0xf
)

// Setting is a variable and the value that it is to have.
type Setting struct{ Name, Value string }

// Variable is what the kernel says of one.
type Variable struct {
	Kind uint32 // flags and type, as sysctl.oidfmt gives them
}

// Refusal says why a jail cannot have a value of its own, or nil. vnet tells that it has a network stack of its own.
func (v Variable) Refusal(s Setting, vnet bool) error {
	switch {
	case v.Kind&flagWrite == 0:
		return fmt.Errorf("sysctl %s cannot be set", s.Name)
	case v.Kind&flagVNET != 0 && !vnet:
		return fmt.Errorf("sysctl %s belongs to a network stack, and this container has none of its own", s.Name)
	case v.Kind&(flagVNET|flagPrison) == 0:
		return fmt.Errorf("sysctl %s is the whole host's: set it there", s.Name)
	}
	_, err := v.encode(s)
	return err
}

// number is how wide a type's values are, in bits, and whether they have a sign.
type number struct {
	bits   int
	signed bool
}

// numbers are the types of sys/sysctl.h; long is 64 bits wide on everything that we run on.
var numbers = map[uint32]number{
	2: {32, true}, 6: {32, false}, 7: {64, true}, 8: {64, false}, 4: {64, true}, 9: {64, false},
	0xa: {8, false}, 0xb: {16, false}, 0xc: {8, true}, 0xd: {16, true}, 0xe: {32, true}, 0xf: {32, false},
}

const typeString = 3

// encode gives a value the form that the kernel takes it in.
func (v Variable) encode(s Setting) ([]byte, error) {
	if v.Kind&typeMask == typeString {
		return []byte(s.Value), nil
	}
	n, ok := numbers[v.Kind&typeMask]
	if !ok {
		return nil, fmt.Errorf("sysctl %s is neither a number nor a text", s.Name)
	}
	var bits uint64
	var err error
	if n.signed {
		var i int64
		i, err = strconv.ParseInt(s.Value, 0, n.bits)
		bits = uint64(i)
	} else {
		bits, err = strconv.ParseUint(s.Value, 0, n.bits)
	}
	if err != nil {
		return nil, fmt.Errorf("sysctl %s=%s: not a number of %d bits", s.Name, s.Value, n.bits)
	}
	// All that we run on is little-endian: the low bytes come first.
	return binary.LittleEndian.AppendUint64(nil, bits)[:n.bits/8], nil
}

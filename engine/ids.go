package engine

import (
	"crypto/rand"
	"encoding/hex"
)

// ContainerID is 64 lower-case hexadecimal digits.
type ContainerID string

// NetworkID is 64 lower-case hexadecimal digits.
type NetworkID string

// ExecID is 64 lower-case hexadecimal digits.
type ExecID string

// ImageID is the digest of an image's config blob, "sha256:" and 64 hexadecimal digits, as Docker shows it.
type ImageID string

// LayerID names a chain of extracted layers: the OCI chain id, "sha256:" and 64 hexadecimal digits. The empty LayerID is
// the empty root.
type LayerID string

// Owner marks everything that one daemon makes on a host: 8 lower-case hexadecimal digits, made once per state directory
// and kept in it. It is part of names whose length the kernel limits to 15 bytes.
type Owner string

const shortLen = 12

func short(s string) string {
	if len(s) > shortLen {
		return s[:shortLen]
	}
	return s
}

// Short returns the first 12 digits.
func (id ContainerID) Short() string { return short(string(id)) }

// Short returns the first 12 digits.
func (id NetworkID) Short() string { return short(string(id)) }

// Short returns the first 12 digits.
func (id ExecID) Short() string { return short(string(id)) }

// Short returns the first 12 digits of the digest, without its algorithm.
func (id ImageID) Short() string {
	s := string(id)
	for i := range len(s) {
		if s[i] == ':' {
			return short(s[i+1:])
		}
	}
	return short(s)
}

// NewID returns 64 random hexadecimal digits. The first 12 are never all decimal digits: a host name or jail name made of
// them would be taken for a number.
func NewID() string {
	var b [32]byte
	for {
		rand.Read(b[:]) // never fails since Go 1.24
		s := hex.EncodeToString(b[:])
		for i := range shortLen {
			if s[i] > '9' {
				return s
			}
		}
	}
}

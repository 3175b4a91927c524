package netlink

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// The kernel's limit of an interface's name is 15 bytes.
const (
	pairPrefix = "xv" // then four digits of the owner, "-", eight digits
	deadPrefix = "xd" // likewise
)

// Names of bridges are engine.BridgeName's.

const markPrefix = "xc:"

func randomName(prefix string, owner engine.Owner) string {
	var b [4]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return prefix + first(string(owner), 4) + "-" + hex.EncodeToString(b[:])
}

// oursByName reports whether an interface without a mark was made by this owner, who was ended before it could write one.
func oursByName(name string, owner engine.Owner) bool {
	for _, prefix := range []string{pairPrefix, deadPrefix} {
		if rest, ok := strings.CutPrefix(name, prefix+first(string(owner), 4)+"-"); ok && len(rest) == 8 {
			return true
		}
	}
	digits, ok := strings.CutPrefix(name, engine.BridgeName(owner, ""))
	return ok && len(digits) == 6
}

func bridgeMark(owner engine.Owner, n engine.NetworkID) string {
	return markPrefix + string(owner) + ":" + string(n)
}

func pairMark(owner engine.Owner, c engine.ContainerID, n engine.NetworkID) string {
	return markPrefix + string(owner) + ":" + c.Short() + ":" + n.Short()
}

func insideMark(n engine.NetworkID) string { return markPrefix + n.Short() }

// mark is what an alias says.
type mark struct {
	container engine.ContainerID // empty: a bridge
	network   engine.NetworkID
}

// parseMark reads a bridge's or a pair's mark, if it is this owner's.
func parseMark(alias string, owner engine.Owner) (mark, bool) {
	rest, ok := strings.CutPrefix(alias, markPrefix+string(owner)+":")
	if !ok || rest == "" {
		return mark{}, false
	}
	if c, n, pair := strings.Cut(rest, ":"); pair {
		return mark{engine.ContainerID(c), engine.NetworkID(n)}, c != "" && n != ""
	}
	return mark{network: engine.NetworkID(rest)}, true
}

// parseInside reads the mark of an interface inside a container.
func parseInside(alias string) (engine.NetworkID, bool) {
	n, ok := strings.CutPrefix(alias, markPrefix)
	return engine.NetworkID(n), ok && n != "" && !strings.Contains(n, ":")
}

// deadGroup is the interface group of an owner's dead. Groups that people use are small numbers.
func deadGroup(owner engine.Owner) uint32 {
	n, err := strconv.ParseUint(string(owner), 16, 32)
	if err != nil {
		n = 0
	}
	return uint32(n) | 1<<31
}

func first(s string, n int) string { return s[:min(n, len(s))] }

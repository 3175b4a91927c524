package layer

import (
	"slices"
	"strings"
)

// The names of pax records that carry what tar has no field for, as star and libarchive write them.
const (
	paxXattr = "SCHILY.xattr."
	paxFlags = "SCHILY.fflags"
)

// flagNames are FreeBSD's file flags by the names of strtofflags(3); the alternatives that it accepts stand behind.
var flagNames = []struct {
	bit   uint32
	names []string
}{
	{0x00000002, []string{"uchg", "uchange", "uimmutable"}},
	{0x00000004, []string{"uappnd", "uappend"}},
	{0x00000001, []string{"nodump"}},
	{0x00000008, []string{"opaque"}},
	{0x00000010, []string{"uunlnk", "uunlink"}},
	{0x00000080, []string{"usystem", "usys"}},
	{0x00000100, []string{"usparse", "sparse"}},
	{0x00000200, []string{"uoffline", "offline"}},
	{0x00000400, []string{"ureparse", "reparse"}},
	{0x00000800, []string{"uarch", "uarchive"}},
	{0x00001000, []string{"urdonly", "rdonly", "readonly"}},
	{0x00008000, []string{"uhidden", "hidden"}},
	{0x00010000, []string{"arch", "archived"}},
	{0x00020000, []string{"schg", "schange", "simmutable"}},
	{0x00040000, []string{"sappnd", "sappend"}},
	{0x00100000, []string{"sunlnk", "sunlink"}},
}

const (
	// forbidding are the flags that stop removal and change: immutable, append-only, undeletable.
	forbidding = 0x00000002 | 0x00000004 | 0x00000010 | 0x00020000 | 0x00040000 | 0x00100000
	// portable are the flags that a layer carries. The others are notes of the file system's own: ZFS sets the archive
	// flag on every write.
	portable = forbidding | 0x00000001 | 0x00000008
)

// parseFlags reads "schg,nodump"; names that are not known say nothing.
func parseFlags(s string) uint32 {
	var flags uint32
	for name := range strings.SplitSeq(s, ",") {
		for _, f := range flagNames {
			if slices.Contains(f.names, name) {
				flags |= f.bit
			}
		}
	}
	return flags & portable
}

// formatFlags writes flags as parseFlags reads them.
func formatFlags(flags uint32) string {
	var names []string
	for _, f := range flagNames {
		if flags&portable&f.bit != 0 {
			names = append(names, f.names[0])
		}
	}
	return strings.Join(names, ",")
}

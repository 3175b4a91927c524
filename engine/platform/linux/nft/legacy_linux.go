package nft

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

var legacyFamilies = []legacyFamily{
	{tool: "iptables-legacy", names: "/proc/thread-self/net/ip_tables_names", domain: unix.AF_INET, level: unix.SOL_IP, entry: 112, targets: 88, devices: 16, flags: 82, goes: 2},
	{tool: "ip6tables-legacy", names: "/proc/thread-self/net/ip6_tables_names", domain: unix.AF_INET6, level: unix.SOL_IPV6, entry: 168, targets: 140, devices: 64, flags: 131, goes: 4},
}

// legacyWarnings names the older tables that drop what is forwarded. Bridges is how the names of ours begin.
func legacyWarnings(bridges string) []string {
	var out []string
	for _, l := range legacyFamilies {
		names, err := os.ReadFile(l.names)
		if err != nil || !slices.Contains(strings.Fields(string(names)), "filter") {
			continue
		}
		drops, err := l.forwardDrops("filter", bridges)
		switch {
		case err != nil:
			out = append(out, fmt.Sprintf("WARNING: %s has a table filter that could not be read: %v", l.tool, err))
		case drops:
			out = append(out, fmt.Sprintf("WARNING: chain FORWARD of %[1]s drops what it does not accept itself: containers reach outside, and published ports are reached, only as far as it lets them (%[1]s -I FORWARD -i %[2]s+ -j ACCEPT; %[1]s -I FORWARD -o %[2]s+ -j ACCEPT)", l.tool, bridges))
		}
	}
	return out
}

// forwardDrops reports whether a table's forward chain drops what is not accepted in it.
func (l legacyFamily) forwardDrops(table, bridges string) (bool, error) {
	const (
		getInfo    = 64 // IPT_SO_GET_INFO, IP6T_SO_GET_INFO
		getEntries = 65
	)
	s, err := unix.Socket(l.domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return false, err
	}
	defer unix.Close(s)
	info := make([]byte, legacyInfo)
	copy(info, table)
	if err := option(s, l.level, getInfo, info); err != nil {
		return false, err
	}
	at, size, ok := legacyForward(info)
	if !ok {
		return false, nil
	}
	all := make([]byte, legacyHead+int(size))
	copy(all, table)
	binary.NativeEndian.PutUint32(all[legacyName:], size)
	if err := option(s, l.level, getEntries, all); err != nil {
		return false, err
	}
	walk := legacyWalk{legacyFamily: l, entries: all[legacyHead:], bridges: bridges}
	return walk.drops(int(at)), nil
}

// option is getsockopt(2) with a buffer that is read as well as written.
func option(s, level, name int, buf []byte) error {
	n := uint32(len(buf))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s), uintptr(level), uintptr(name), uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

package ifconfig

import (
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// addrs lists an interface's addresses, those of the link left out.
func (p *Plumber) addrs(name string) ([]netip.Prefix, error) {
	index, err := p.host.index(name)
	if err != nil {
		return nil, err
	}
	list, err := (&net.Interface{Index: index, Name: name}).Addrs()
	if err != nil {
		return nil, err
	}
	var found []netip.Prefix
	for _, a := range list {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && !prefix.Addr().IsLinkLocalUnicast() {
			found = append(found, prefix)
		}
	}
	return found, nil
}

func ones(mask []byte) int {
	n := 0
	for _, b := range mask {
		n += bits.OnesCount8(b)
	}
	return n
}

// forward lets the host pass packets on, between containers and outwards.
func forward(v6 bool) error {
	err := setSysctl("net.inet.ip.forwarding", 1)
	if err == nil && v6 {
		err = setSysctl("net.inet6.ip6.forwarding", 1)
	}
	return err
}

// setSysctl sets a number unless it has that value.
func setSysctl(name string, value uint32) error {
	if now, err := unix.SysctlUint32(name); err != nil || now == value {
		return err
	}
	text := []byte(name)
	_, _, errno := unix.Syscall6(unix.SYS___SYSCTLBYNAME, uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)), 0, 0, uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value))
	if errno != 0 {
		return fmt.Errorf("sysctl %s=%d: %w", name, value, errno)
	}
	return nil
}

// ifdataGeneral is of net/if_mib.h.
const ifdataGeneral = 1

// Counters are those of a container's interfaces by their names inside, from the container's side. The container is named by
// the first 12 digits of its id.
func Counters(container string) (map[string]engine.InterfaceStats, error) {
	s, err := openStack()
	if err != nil {
		return nil, err
	}
	defer s.close()
	names, err := s.members(Group)
	if err != nil {
		return nil, err
	}
	all := map[string]engine.InterfaceStats{}
	for _, name := range names {
		if !strings.HasPrefix(name, containerPrefix(container)) {
			continue
		}
		text, err := s.description(name)
		if err != nil {
			continue // it went meanwhile
		}
		m, ok := ParseMark(text)
		if !ok || m.Container != container || m.Inside == "" {
			continue
		}
		index, err := s.index(name)
		if err != nil {
			continue
		}
		raw, err := unix.SysctlRaw("net.link.generic.ifdata", index, ifdataGeneral)
		if err != nil {
			continue
		}
		if rx, tx, ok := counters(raw); ok {
			all[m.Inside] = engine.InterfaceStats{
				RxBytes: rx[0], RxPackets: rx[1], RxErrors: rx[2], RxDropped: rx[3], TxBytes: tx[0], TxPackets: tx[1], TxErrors: tx[2], TxDropped: tx[3],
			}
		}
	}
	return all, nil
}

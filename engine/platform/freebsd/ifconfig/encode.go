package ifconfig

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Sizes of the structures of net/if.h, netinet/in_var.h, netinet6/in6_var.h and net/if_bridgevar.h on 64-bit systems.
const (
	nameSize      = 16
	ifreqSize     = 32
	aliasSize     = 68
	alias6Size    = 136
	ifreq6Size    = 288
	ndireqSize    = 72
	groupSize     = 40
	driverSize    = 40
	bridgeReqSize = 80
)

// ioctl numbers, as sys/ioccom.h composes them.
const (
	iocOut, iocIn = 0x40000000, 0x80000000
)

func ioc(direction, number, size int) uint {
	return uint(direction) | uint(size)<<16 | 'i'<<8 | uint(number)
}

var (
	siocSIFFlags    = ioc(iocIn, 16, ifreqSize)
	siocGIFFlags    = ioc(iocIn|iocOut, 17, ifreqSize)
	siocDIFAddr     = ioc(iocIn, 25, ifreqSize)
	siocDIFAddr6    = ioc(iocIn, 25, ifreq6Size)
	siocAIFAddr6    = ioc(iocIn, 27, alias6Size)
	siocGIFIndex    = ioc(iocIn|iocOut, 32, ifreqSize)
	siocSIFName     = ioc(iocIn, 40, ifreqSize)
	siocSIFDescr    = ioc(iocIn, 41, ifreqSize)
	siocGIFDescr    = ioc(iocIn|iocOut, 42, ifreqSize)
	siocAIFAddr     = ioc(iocIn, 43, aliasSize)
	siocGIFMTU      = ioc(iocIn|iocOut, 51, ifreqSize)
	siocSIFMTU      = ioc(iocIn, 52, ifreqSize)
	siocSIFLLAddr   = ioc(iocIn, 60, ifreqSize)
	siocSInfoFlags6 = ioc(iocIn|iocOut, 87, ndireqSize)
	siocSIFVNET     = ioc(iocIn|iocOut, 90, ifreqSize)
	siocSIFRVNET    = ioc(iocIn|iocOut, 91, ifreqSize)
	siocGInfo6      = ioc(iocIn|iocOut, 108, ndireqSize)
	siocIFDestroy   = ioc(iocIn, 121, ifreqSize)
	siocSDrvSpec    = ioc(iocIn, 123, driverSize)
	siocGDrvSpec    = ioc(iocIn|iocOut, 123, driverSize)
	siocIFCreate2   = ioc(iocIn|iocOut, 124, ifreqSize)
	siocAIFGroup    = ioc(iocIn, 135, groupSize)
	siocGIFGMemb    = ioc(iocIn|iocOut, 138, groupSize)
)

// Commands of if_bridge(4), net/if_bridgevar.h.
const (
	bridgeAdd      = 0
	bridgeDelete   = 1
	bridgeGetFlags = 2
	bridgeSetFlags = 3
	bridgeMembers  = 6
	flagPrivate    = 0x0800
)

const (
	flagUp            = 0x1 // net/if.h: IFF_UP
	flagNoDAD         = 0x20
	ndDisabled        = 0x8 // netinet6/nd6.h: ND6_IFF_IFDISABLED
	ndNoDAD           = 0x100
	afInet, afInet6   = 2, 28
	lifetimeInfinite  = 0xffffffff
	offsetNDFlags     = nameSize + 20
	offsetLifetimes   = 104
	offsetMemberFlags = nameSize
)

// request begins a structure whose first member is an interface's name.
func request(name string, size int) []byte {
	b := make([]byte, size)
	copy(b[:nameSize-1], name)
	return b
}

// withInt is an ifreq that carries a number.
func withInt(name string, n int32) []byte {
	b := request(name, ifreqSize)
	binary.NativeEndian.PutUint32(b[nameSize:], uint32(n))
	return b
}

func number(b []byte) int32 { return int32(binary.NativeEndian.Uint32(b[nameSize:])) }

// sockaddr puts an address at the beginning of b and returns its length.
func sockaddr(b []byte, a netip.Addr) int {
	if a.Is4() {
		b[0], b[1] = 16, afInet
		copy(b[4:], a.AsSlice())
		return 16
	}
	b[0], b[1] = 28, afInet6
	copy(b[8:], a.AsSlice())
	return 28
}

// mask is a prefix's netmask.
func mask(p netip.Prefix) netip.Addr {
	a, _ := netip.AddrFromSlice(net.CIDRMask(p.Bits(), p.Addr().BitLen()))
	return a
}

// broadcast is the last address of a prefix.
func broadcast(p netip.Prefix) netip.Addr {
	a, m := p.Addr().As4(), mask(p).As4()
	for i := range a {
		a[i] |= ^m[i]
	}
	return netip.AddrFrom4(a)
}

// addition renders what adds an address: struct ifaliasreq, or in6_aliasreq.
func addition(name string, p netip.Prefix, loopback bool) []byte {
	if p.Addr().Is6() {
		b := request(name, alias6Size)
		sockaddr(b[nameSize:], p.Addr())
		sockaddr(b[nameSize+56:], mask(p))
		binary.NativeEndian.PutUint32(b[nameSize+84:], flagNoDAD)
		binary.NativeEndian.PutUint32(b[offsetLifetimes+16:], lifetimeInfinite)
		binary.NativeEndian.PutUint32(b[offsetLifetimes+20:], lifetimeInfinite)
		return b
	}
	b := request(name, aliasSize)
	sockaddr(b[nameSize:], p.Addr())
	if !loopback && p.Bits() < 31 {
		sockaddr(b[nameSize+16:], broadcast(p))
	}
	sockaddr(b[nameSize+32:], mask(p))
	return b
}

// removal renders what takes an address away.
func removal(name string, a netip.Addr) []byte {
	size := ifreqSize
	if a.Is6() {
		size = ifreq6Size
	}
	b := request(name, size)
	sockaddr(b[nameSize:], a)
	return b
}

// hardware is an ifreq that carries a hardware address.
func hardware(name string, mac net.HardwareAddr) []byte {
	b := request(name, ifreqSize)
	b[nameSize], b[nameSize+1] = byte(len(mac)), 6 // AF_LINK is not looked at; ether_ioctl wants the length
	copy(b[nameSize+2:], mac)
	return b
}

// counters reads struct ifmibdata (net/if_mib.h) of the host's end of an epair, seen from the other one.
func counters(b []byte) (rx, tx [4]uint64, ok bool) {
	const data = 56 // of its struct if_data
	if len(b) < data+112 {
		return rx, tx, false
	}
	at := func(off int) uint64 { return binary.NativeEndian.Uint64(b[data+off:]) }
	// Bytes, packets, errors, dropped.
	return [4]uint64{at(72), at(40), at(48), at(104)}, [4]uint64{at(64), at(24), at(32), at(96)}, true
}

package ifconfig

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/net/route"
	"golang.org/x/sys/unix"
)

// stack is a network stack, reached through sockets that were opened in it.
type stack struct {
	inet, inet6, route int
	known              []seen // interfaces when the sockets were opened; nil for the host's
}

// openStack opens the stack of the calling process's jail.
func openStack() (s stack, err error) {
	s = stack{inet: -1, inet6: -1, route: -1}
	for _, o := range []struct {
		fd           *int
		domain, kind int
	}{{&s.inet, unix.AF_INET, unix.SOCK_DGRAM}, {&s.inet6, unix.AF_INET6, unix.SOCK_DGRAM}, {&s.route, unix.AF_ROUTE, unix.SOCK_RAW}} {
		if *o.fd, err = unix.Socket(o.domain, o.kind|unix.SOCK_CLOEXEC, 0); err != nil {
			s.close()
			return s, os.NewSyscallError("socket", err)
		}
	}
	return s, nil
}

func (s stack) close() {
	for _, fd := range []int{s.inet, s.inet6, s.route} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// ioctl makes one call; keep are buffers that b points into.
func ioctl(fd int, what string, req uint, b []byte, keep ...any) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(unsafe.Pointer(&b[0])))
	runtime.KeepAlive(keep)
	if errno != 0 {
		name := b[:nameSize]
		return fmt.Errorf("%s %s: %w", what, unix.ByteSliceToString(name), errno)
	}
	return nil
}

// pointer puts a buffer's address into a structure. The buffer is pinned as long as pins are.
func pointer(b []byte, at int, buf []byte, pins *runtime.Pinner) {
	pins.Pin(&buf[0])
	binary.NativeEndian.PutUint64(b[at:], uint64(uintptr(unsafe.Pointer(&buf[0]))))
}

// create makes an interface of a cloner and returns its name; for "epair" that of the first end, "epair0a".
func (s stack) create(cloner string) (string, error) {
	b := request(cloner, ifreqSize)
	if err := ioctl(s.inet, "create", siocIFCreate2, b); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(b[:nameSize]), nil
}

// destroy removes an interface; either end of an epair removes both. One that is gone is no error.
func (s stack) destroy(name string) error {
	err := ioctl(s.inet, "destroy", siocIFDestroy, request(name, ifreqSize))
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EINVAL) && !s.exists(name) {
		return nil
	}
	return err
}

func (s stack) exists(name string) bool {
	return ioctl(s.inet, "find", siocGIFFlags, request(name, ifreqSize)) == nil
}

func (s stack) index(name string) (int, error) {
	b := request(name, ifreqSize)
	err := ioctl(s.inet, "find", siocGIFIndex, b)
	return int(binary.NativeEndian.Uint16(b[nameSize:])), err
}

func (s stack) rename(name, to string) error {
	b := request(name, ifreqSize)
	text := append([]byte(to), 0)
	var pins runtime.Pinner
	defer pins.Unpin()
	pointer(b, nameSize, text, &pins)
	return ioctl(s.inet, "rename", siocSIFName, b, text)
}

func (s stack) describe(name, text string) error {
	b := request(name, ifreqSize)
	buf := append([]byte(text), 0)
	var pins runtime.Pinner
	defer pins.Unpin()
	binary.NativeEndian.PutUint64(b[nameSize:], uint64(len(buf)))
	pointer(b, nameSize+8, buf, &pins)
	return ioctl(s.inet, "describe", siocSIFDescr, b, buf)
}

// description is empty for an interface without one.
func (s stack) description(name string) (string, error) {
	b := request(name, ifreqSize)
	buf := make([]byte, 256)
	var pins runtime.Pinner
	defer pins.Unpin()
	binary.NativeEndian.PutUint64(b[nameSize:], uint64(len(buf)))
	pointer(b, nameSize+8, buf, &pins)
	err := ioctl(s.inet, "read the description of", siocGIFDescr, b, buf)
	if errors.Is(err, unix.ENOMSG) {
		return "", nil
	}
	return unix.ByteSliceToString(buf), err
}

func (s stack) join(name, group string) error {
	b := request(name, groupSize)
	copy(b[24:24+nameSize-1], group)
	err := ioctl(s.inet, "add to the group "+group, siocAIFGroup, b)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// members lists a group's interfaces.
func (s stack) members(group string) ([]string, error) {
	b := request(group, groupSize)
	err := ioctl(s.inet, "list the group", siocGIFGMemb, b)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	size := binary.NativeEndian.Uint32(b[nameSize:])
	if size == 0 {
		return nil, nil
	}
	size += 16 * nameSize // more may come between the calls
	list := make([]byte, size)
	var pins runtime.Pinner
	defer pins.Unpin()
	binary.NativeEndian.PutUint32(b[nameSize:], size)
	pointer(b, 24, list, &pins)
	if err := ioctl(s.inet, "list the group", siocGIFGMemb, b, list); err != nil {
		return nil, err
	}
	var names []string
	for ; len(list) >= nameSize; list = list[nameSize:] {
		if n := unix.ByteSliceToString(list[:nameSize]); n != "" {
			names = append(names, n)
		}
	}
	return names, nil
}

// up brings an interface up.
func (s stack) up(name string) error {
	b := request(name, ifreqSize)
	if err := ioctl(s.inet, "read the flags of", siocGIFFlags, b); err != nil {
		return err
	}
	if b[nameSize]&flagUp != 0 {
		return nil
	}
	b[nameSize] |= flagUp
	return ioctl(s.inet, "bring up", siocSIFFlags, b)
}

func (s stack) mtu(name string) (int, error) {
	b := request(name, ifreqSize)
	err := ioctl(s.inet, "read the MTU of", siocGIFMTU, b)
	return int(number(b)), err
}

// setMTU does nothing for 0 and for what holds already.
func (s stack) setMTU(name string, mtu int) error {
	if mtu == 0 {
		return nil
	}
	if now, err := s.mtu(name); err != nil || now == mtu {
		return err
	}
	return ioctl(s.inet, fmt.Sprint("set the MTU ", mtu, " of"), siocSIFMTU, withInt(name, int32(mtu)))
}

func (s stack) setMAC(name string, mac net.HardwareAddr) error {
	return ioctl(s.inet, "set the hardware address of", siocSIFLLAddr, hardware(name, mac))
}

// toJail moves an interface into a jail's stack.
func (s stack) toJail(name string, jid int) error {
	return ioctl(s.inet, fmt.Sprint("move to jail ", jid), siocSIFVNET, withInt(name, int32(jid)))
}

// fromJail brings an interface back from a jail's stack.
func (s stack) fromJail(name string, jid int) error {
	return ioctl(s.inet, fmt.Sprint("bring back from jail ", jid), siocSIFRVNET, withInt(name, int32(jid)))
}

// addAddr adds an address; one that is there is no error.
func (s stack) addAddr(name string, p netip.Prefix) error {
	if p.Addr().Is6() {
		if err := s.enable6(name); err != nil {
			return err
		}
		return ioctl(s.inet6, "add "+p.String()+" to", siocAIFAddr6, addition(name, p, false))
	}
	return ioctl(s.inet, "add "+p.String()+" to", siocAIFAddr, addition(name, p, name == loopback))
}

// delAddr removes an address; one that is gone is no error.
func (s stack) delAddr(name string, a netip.Addr) error {
	fd, req := s.inet, siocDIFAddr
	if a.Is6() {
		fd, req = s.inet6, siocDIFAddr6
	}
	err := ioctl(fd, "remove "+a.String()+" from", req, removal(name, a))
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENXIO) {
		return nil
	}
	return err
}

// enable6 clears the flag that keeps an interface from IPv6.
func (s stack) enable6(name string) error {
	return s.changeND(name, func(flags uint32) uint32 { return flags &^ ndDisabled })
}

// trust6 makes an interface of ours use its addresses of IPv6 at once: nobody else can have them. The flag of single addresses
// that says so is not heeded by the kernel (FreeBSD 13.2, nd6_dad_start).
func (s stack) trust6(name string) error {
	return s.changeND(name, func(flags uint32) uint32 { return flags&^ndDisabled | ndNoDAD })
}

// changeND changes an interface's flags of neighbour discovery.
func (s stack) changeND(name string, change func(uint32) uint32) error {
	b := request(name, ndireqSize)
	if err := ioctl(s.inet6, "read the IPv6 flags of", siocGInfo6, b); err != nil {
		return err
	}
	flags := binary.NativeEndian.Uint32(b[offsetNDFlags:])
	wanted := change(flags)
	if wanted == flags {
		return nil
	}
	binary.NativeEndian.PutUint32(b[offsetNDFlags:], wanted)
	return ioctl(s.inet6, "set the IPv6 flags of", siocSInfoFlags6, b)
}

// bridge makes a call of if_bridge(4) with a structure that it may fill.
func (s stack) bridge(name string, what string, cmd int, set bool, arg []byte) error {
	b := request(name, driverSize)
	var pins runtime.Pinner
	defer pins.Unpin()
	binary.NativeEndian.PutUint64(b[16:], uint64(cmd))
	binary.NativeEndian.PutUint64(b[24:], uint64(len(arg)))
	pointer(b, 32, arg, &pins)
	req := siocGDrvSpec
	if set {
		req = siocSDrvSpec
	}
	return ioctl(s.inet, what, req, b, arg)
}

// addMember joins an interface to a bridge; that it is joined is no error.
func (s stack) addMember(bridge, member string) error {
	err := s.bridge(bridge, "join "+member+" to", bridgeAdd, true, request(member, bridgeReqSize))
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func (s stack) delMember(bridge, member string) error {
	err := s.bridge(bridge, "take "+member+" from", bridgeDelete, true, request(member, bridgeReqSize))
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// setPrivate says whether a member may talk to other private ones.
func (s stack) setPrivate(bridge, member string, private bool) error {
	b := request(member, bridgeReqSize)
	if err := s.bridge(bridge, "read the member "+member+" of", bridgeGetFlags, false, b); err != nil {
		return err
	}
	flags := binary.NativeEndian.Uint32(b[offsetMemberFlags:])
	wanted := flags &^ flagPrivate
	if private {
		wanted = flags | flagPrivate
	}
	if wanted == flags {
		return nil
	}
	binary.NativeEndian.PutUint32(b[offsetMemberFlags:], wanted)
	return s.bridge(bridge, "set the member "+member+" of", bridgeSetFlags, true, b)
}

// bridgeMembers lists a bridge's members.
func (s stack) bridgeMembers(bridge string) ([]string, error) {
	for room := 32; ; room *= 4 {
		list := make([]byte, room*bridgeReqSize)
		conf := make([]byte, 16)
		var pins runtime.Pinner
		binary.NativeEndian.PutUint32(conf, uint32(len(list)))
		pointer(conf, 8, list, &pins)
		err := s.bridge(bridge, "list the members of", bridgeMembers, false, conf)
		pins.Unpin()
		if err != nil {
			return nil, err
		}
		used := int(binary.NativeEndian.Uint32(conf))
		if used >= len(list) {
			continue
		}
		var names []string
		for b := list[:used]; len(b) >= bridgeReqSize; b = b[bridgeReqSize:] {
			names = append(names, unix.ByteSliceToString(b[:nameSize]))
		}
		return names, nil
	}
}

// setDefault makes a router the default one of its family, or with an invalid one lets the family have none.
func (s stack) setDefault(router netip.Addr, is6 bool) error {
	if !router.IsValid() {
		err := s.routeMessage(unix.RTM_DELETE, router, is6)
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		return err
	}
	err := s.routeMessage(unix.RTM_CHANGE, router, is6)
	if errors.Is(err, unix.ESRCH) {
		err = s.routeMessage(unix.RTM_ADD, router, is6)
	}
	return err
}

func (s stack) routeMessage(kind int, router netip.Addr, is6 bool) error {
	m := route.RouteMessage{Version: unix.RTM_VERSION, Type: kind, ID: uintptr(os.Getpid()), Seq: 1, Flags: unix.RTF_UP | unix.RTF_STATIC}
	var whole, gateway route.Addr = &route.Inet4Addr{}, nil
	if is6 {
		whole = &route.Inet6Addr{}
	}
	if router.IsValid() {
		m.Flags |= unix.RTF_GATEWAY
		if is6 {
			gateway = &route.Inet6Addr{IP: router.As16()}
		} else {
			gateway = &route.Inet4Addr{IP: router.As4()}
		}
	}
	m.Addrs = []route.Addr{unix.RTAX_DST: whole, unix.RTAX_GATEWAY: gateway, unix.RTAX_NETMASK: whole}
	b, err := m.Marshal()
	if err != nil {
		return err
	}
	if _, err := unix.Write(s.route, b); err != nil {
		return fmt.Errorf("default route %v: %w", router, err)
	}
	return nil
}

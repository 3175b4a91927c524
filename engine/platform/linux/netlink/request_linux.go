package netlink

import (
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// requester sends requests about links that do several things at once.
type requester struct {
	sockets map[int]*nl.SocketHandle
}

// newRequester speaks to the network namespace of the thread that calls it.
func newRequester() (*requester, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return &requester{sockets: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}}, nil
}

func (r *requester) close() {
	for _, s := range r.sockets {
		s.Close()
	}
}

// link sends an RTM_NEWLINK or RTM_DELLINK (rtnetlink(7)) with these attributes. A name among them says which link is meant.
func (r *requester) link(kind, flags int, attrs ...*nl.RtAttr) error {
	return r.linkFlags(kind, flags, 0, 0, attrs...)
}

// linkFlags is link, and makes these of the interface's flags have these values.
func (r *requester) linkFlags(kind, flags int, which, values uint32, attrs ...*nl.RtAttr) error {
	req := &nl.NetlinkRequest{
		NlMsghdr: unix.NlMsghdr{Len: unix.SizeofNlMsghdr, Type: uint16(kind), Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK | uint16(flags)},
		Sockets:  r.sockets,
	}
	info := nl.NewIfInfomsg(unix.AF_UNSPEC)
	info.Flags, info.Change = values, which
	req.AddData(info)
	for _, a := range attrs {
		req.AddData(a)
	}
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

func attr(kind int, data []byte) *nl.RtAttr { return nl.NewRtAttr(kind, data) }

func nameAttr(name string) *nl.RtAttr { return attr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)) }

// pair is a pair of virtual Ethernet interfaces to be made, veth(4).
type pair struct {
	host   string
	bridge int // index
	inside string
	netns  int // descriptor
	mac    []byte
	mtu    int
}

// makePair makes both ends where they belong, the host's as a port of the bridge. Both are down.
func (r *requester) makePair(p pair) error {
	kind := attr(unix.IFLA_LINKINFO, nil)
	kind.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("veth"))
	peer := kind.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.VETH_INFO_PEER, nil)
	nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
	peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(p.inside))
	peer.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(p.netns)))
	if p.mac != nil {
		peer.AddRtAttr(unix.IFLA_ADDRESS, p.mac)
	}
	attrs := []*nl.RtAttr{nameAttr(p.host), attr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(p.bridge))), kind}
	if p.mtu > 0 {
		peer.AddRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(p.mtu)))
		attrs = append(attrs, attr(unix.IFLA_MTU, nl.Uint32Attr(uint32(p.mtu))))
	}
	return r.link(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, attrs...)
}

// port is how a bridge treats one of its ports, ip-link(8) "bridge_slave".
type port struct {
	hairpin  bool // frames may go out where they came in
	isolated bool // frames do not pass to other isolated ports
}

// setPort marks the host's end of a pair, sets it as a port and brings it up, all at once. A port needs no address of its own,
// and none is made for it.
func (r *requester) setPort(name, alias string, p port) error {
	const addrGenMode = 8 // IFLA_INET6_ADDR_GEN_MODE of linux/if_link.h
	family := attr(unix.IFLA_AF_SPEC, nil)
	family.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(addrGenMode, nl.Uint8Attr(nl.IN6_ADDR_GEN_MODE_NONE))
	return r.linkFlags(unix.RTM_NEWLINK, 0, unix.IFF_UP, unix.IFF_UP, nameAttr(name), attr(unix.IFLA_IFALIAS, []byte(alias)), family, p.attr())
}

func (p port) attr() *nl.RtAttr {
	info := attr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_SLAVE_DATA, nil)
	data.AddRtAttr(nl.IFLA_BRPORT_MODE, boolByte(p.hairpin))
	data.AddRtAttr(nl.IFLA_BRPORT_ISOLATED, boolByte(p.isolated))
	return info
}

func boolByte(b bool) []byte {
	if b {
		return nl.Uint8Attr(1)
	}
	return nl.Uint8Attr(0)
}

// kill brings an interface down, so that no frame passes any more and the bridge forgets whom it reached there, and puts it
// into the group of the dead.
func (r *requester) kill(name string, group uint32) error {
	return r.linkFlags(unix.RTM_NEWLINK, 0, unix.IFF_UP, 0, nameAttr(name), attr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
}

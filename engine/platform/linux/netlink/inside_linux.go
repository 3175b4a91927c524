package netlink

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// within runs f on a thread that is in the network namespace. A thread that cannot come back is given up.
func within(ns *os.File, f func() error) error {
	back := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			back <- err
			return
		}
		defer home.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			back <- fmt.Errorf("enter network namespace %s: %w", ns.Name(), err)
			return
		}
		err = f()
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		back <- err
	}()
	return <-back
}

// inside is a container's network namespace. It is used on a thread that is in it.
type inside struct {
	ns     *os.File
	handle *netlink.Handle
	send   *requester
	lo     netlink.Link
	ours   map[engine.NetworkID]netlink.Link // by the network's first 12 digits
	names  map[string]bool
	// hairpin: ports of bridges send frames back where they came in.
	hairpin bool
}

func openInside(ns *os.File) (*inside, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	send, err := newRequester()
	if err != nil {
		handle.Close()
		return nil, err
	}
	in := &inside{ns: ns, handle: handle, send: send, ours: make(map[engine.NetworkID]netlink.Link), names: make(map[string]bool)}
	if err := in.look(); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

func (in *inside) close() {
	in.send.close()
	in.handle.Close()
}

func (in *inside) look() error {
	links, err := in.handle.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		a := l.Attrs()
		in.names[a.Name] = true
		if a.Flags&net.FlagLoopback != 0 {
			in.lo = l
		}
		if n, ok := parseInside(a.Alias); ok {
			in.ours[n] = l
		}
	}
	return nil
}

// free is the wanted name, or if it is taken the first free one of its kind.
func (in *inside) free(want string) string {
	if !in.names[want] {
		in.names[want] = true
		return want
	}
	prefix := want
	for prefix != "" && prefix[len(prefix)-1] >= '0' && prefix[len(prefix)-1] <= '9' {
		prefix = prefix[:len(prefix)-1]
	}
	for i := 0; ; i++ {
		if name := fmt.Sprint(prefix, i); !in.names[name] {
			in.names[name] = true
			return name
		}
	}
}

// remove deletes one of our interfaces. It takes the host's end along.
func (in *inside) remove(link netlink.Link) error {
	if err := in.handle.LinkDel(link); err != nil && !isNotFound(err) {
		return fmt.Errorf("remove %s: %w", link.Attrs().Name, err)
	}
	delete(in.names, link.Attrs().Name)
	return nil
}

// bringUp gives a new interface its parameters and addresses and brings it up.
func (in *inside) bringUp(link netlink.Link, plug engine.Plug, announce bool) error {
	if err := setInside(plug, announce); err != nil {
		return err
	}
	for _, a := range plug.Addrs {
		if err := in.handle.AddrAdd(link, kernelAddr(a)); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add address %s: %w", a, err)
		}
	}
	if err := in.handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up %s: %w", plug.Interface, err)
	}
	return nil
}

// route makes the wanted default routes the only ones that lead through our interfaces.
func (in *inside) route(plugs []engine.Plug) error {
	index := make(map[int]engine.Plug)
	for _, plug := range plugs {
		link, err := in.handle.LinkByName(plug.Interface)
		if err != nil {
			return err
		}
		index[link.Attrs().Index] = plug
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		if err := in.routeFamily(family, index); err != nil {
			return err
		}
	}
	return nil
}

func (in *inside) routeFamily(family int, plugs map[int]engine.Plug) error {
	gateway := func(p engine.Plug) netip.Addr {
		if family == netlink.FAMILY_V4 {
			return p.Gateway4
		}
		return p.Gateway6
	}
	present, err := in.handle.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_DST)
	if err != nil {
		return err
	}
	there := make(map[int]bool)
	for _, r := range present {
		plug, ours := plugs[r.LinkIndex]
		gw, _ := netip.AddrFromSlice(r.Gw)
		switch {
		case !ours:
		case gw.Unmap() == gateway(plug):
			there[r.LinkIndex] = true
		default:
			if err := in.handle.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("remove default route by %s: %w", gw, err)
			}
		}
	}
	for i, plug := range plugs {
		gw := gateway(plug)
		if !gw.IsValid() || there[i] {
			continue
		}
		r := &netlink.Route{LinkIndex: i, Gw: gw.AsSlice(), Protocol: unix.RTPROT_BOOT}
		if err := in.handle.RouteReplace(r); err != nil {
			return fmt.Errorf("set default route by %s: %w", gw, err)
		}
	}
	return nil
}

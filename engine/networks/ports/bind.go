package ports

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/xcengine/xc/engine"
)

// errNoFamily: the host has no stack of the address's family.
var errNoFamily = errors.New("address family not supported")

// bindSocket binds a port. Nothing is shared, but by udp with share: a port that any program has, on a wider or the same address, is
// EADDRINUSE.
func bindSocket(ctx context.Context, proto engine.Proto, at netip.AddrPort, share Sharer) (*os.File, error) {
	family := "4"
	if at.Addr().Is6() {
		family = "6" // sets IPV6_V6ONLY
	}
	var (
		f   *os.File
		err error
	)
	switch proto {
	case engine.TCP:
		f, err = bindStream(ctx, "tcp"+family, at)
	case engine.UDP:
		f, err = bindPacket(ctx, "udp"+family, at, nil)
		if share != nil && errors.Is(err, syscall.EADDRINUSE) {
			f, err = bindPacket(ctx, "udp"+family, at, share)
		}
	case engine.SCTP:
		f, err = bindSCTP(at)
	default:
		return nil, fmt.Errorf("unknown protocol %q", proto)
	}
	unspecified := at.Addr().IsUnspecified()
	if errors.Is(err, syscall.EAFNOSUPPORT) || unspecified && errors.Is(err, syscall.EADDRNOTAVAIL) {
		return nil, errNoFamily
	}
	return f, err
}

func bindStream(ctx context.Context, network string, at netip.AddrPort) (*os.File, error) {
	if err := wider(at); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, network, at.String())
	if err != nil {
		return nil, err
	}
	f, err := l.(*net.TCPListener).File()
	return f, errors.Join(err, l.Close())
}

// bindPacket binds a port of udp. What share allows holds for this moment: who comes later, another daemon among them, shall not take
// what is for a container.
func bindPacket(ctx context.Context, network string, at netip.AddrPort, share Sharer) (*os.File, error) {
	say := func(c syscall.RawConn, may bool) (err error) {
		if share != nil {
			err = errors.Join(c.Control(func(fd uintptr) { err = share(fd, may) }), err)
		}
		return err
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return say(c, true) }}
	c, err := config.ListenPacket(ctx, network, at.String())
	if err != nil {
		return nil, err
	}
	raw, err := c.(*net.UDPConn).SyscallConn()
	if err == nil {
		err = say(raw, false)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	f, err := c.(*net.UDPConn).File()
	return f, errors.Join(err, c.Close())
}

const (
	protoSCTP   = 132 // IPPROTO_SCTP, the same everywhere; package syscall lacks it on some systems
	sctpBacklog = 128
)

// bindSCTP makes a one-to-one style socket (RFC 6458, section 4). A kernel without SCTP has nothing to reserve.
func bindSCTP(at netip.AddrPort) (*os.File, error) {
	domain, address := syscall.AF_INET, syscall.Sockaddr(&syscall.SockaddrInet4{Port: int(at.Port()), Addr: to4(at.Addr())})
	if at.Addr().Is6() {
		domain, address = syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(domain, syscall.SOCK_STREAM, protoSCTP)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.ESOCKTNOSUPPORT) {
		return nil, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "sctp "+at.String())
	if domain == syscall.AF_INET6 {
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = os.NewSyscallError("bind", syscall.Bind(fd, address))
	}
	if err == nil {
		err = os.NewSyscallError("listen", syscall.Listen(fd, sctpBacklog))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func to4(a netip.Addr) [4]byte {
	if !a.Is4() {
		return [4]byte{}
	}
	return a.As4()
}

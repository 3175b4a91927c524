package ports

import (
	"errors"
	"net/netip"
	"os"
	"syscall"
)

// wider reports a program that has the port at all addresses: one address of it could be bound beside it, as SO_REUSEADDR is read
// here (setsockopt(2)), and would be taken from it.
func wider(at netip.AddrPort) error {
	if at.Addr().IsUnspecified() {
		return nil
	}
	domain, all := syscall.AF_INET, syscall.Sockaddr(&syscall.SockaddrInet4{Port: int(at.Port())})
	if at.Addr().Is6() {
		domain, all = syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(at.Port())}
	}
	fd, err := syscall.Socket(domain, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil && domain == syscall.AF_INET6 {
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = syscall.Bind(fd, all)
	}
	return errors.Join(os.NewSyscallError("bind", err), syscall.Close(fd))
}

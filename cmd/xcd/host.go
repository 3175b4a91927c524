package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/xcengine/xc/engine/daemon"
)

// Docker's ports, and where it listens when an address names no host.
const (
	tlsPort   = "2376"
	plainPort = "2375"
	localhost = "127.0.0.1"
)

// host is where the Docker API is served, as -H names it.
type host struct {
	scheme string // unix, tcp or fd
	// addr is an absolute path, "host:port" (no host is every address of this machine), or which of the passed sockets is
	// meant: a name, a descriptor's number, or all of them when it is empty.
	addr string
}

func (h host) String() string { return h.scheme + "://" + h.addr }

// parseHost reads "unix:///PATH", "tcp://[HOST][:PORT]" or "fd://[NAME]". secure says that TCP is served with TLS, which has
// another default port. The error is a usageError.
func parseHost(s string, secure bool) (host, error) {
	scheme, addr, ok := strings.Cut(s, "://")
	refuse := func(why string) (host, error) { return host{}, usageError{fmt.Errorf("-H %s: %s", s, why)} }
	switch {
	case ok && scheme == "unix":
		if !filepath.IsAbs(addr) {
			return refuse("the path of the socket must be absolute: unix:///PATH")
		}
		return host{scheme, addr}, nil
	case ok && scheme == "fd":
		return host{scheme, strings.TrimPrefix(addr, "*")}, nil
	case !ok || scheme != "tcp":
		return refuse("served are unix:///PATH, tcp://HOST:PORT and fd:// (sockets that are passed)")
	}
	name, port, err := net.SplitHostPort(addr)
	switch {
	case addr == "":
		name = localhost
	case err == nil:
	case strings.HasSuffix(err.Error(), "missing port in address"):
		name = strings.Trim(addr, "[]")
	default:
		return refuse(err.Error())
	}
	if port == "" {
		port = plainPort
		if secure {
			port = tlsPort
		}
	}
	return host{scheme, net.JoinHostPort(name, port)}, nil
}

// listen opens all sockets of the Docker API. After an error none is left open.
func listen(ctx context.Context, cfg daemon.Config) (all []net.Listener, err error) {
	defer func() {
		if err != nil {
			closeAll(all)
			all = nil
		}
	}()
	secure, err := serverTLS(cfg)
	if err != nil {
		return nil, err
	}
	passed, err := passedSockets()
	if err != nil {
		return nil, err
	}
	defer passed.close()
	for _, s := range cfg.Hosts {
		h, err := parseHost(s, secure != nil)
		if err != nil {
			return all, err
		}
		some, err := h.listen(ctx, cfg, passed)
		for _, l := range some {
			all = append(all, protect(l, secure))
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// listen opens the sockets that one address means. With an error come those that were opened before it.
func (h host) listen(ctx context.Context, cfg daemon.Config, passed *sockets) ([]net.Listener, error) {
	refuse := func(err error) error { return fmt.Errorf("-H %s: %w", h, err) }
	switch h.scheme {
	case "unix":
		l, err := listenUnix(ctx, h.addr, cfg.Group, 0o660)
		if err != nil {
			return nil, err
		}
		return []net.Listener{l}, nil
	case "fd":
		some, err := passed.take(h.addr)
		if err != nil {
			return some, refuse(err)
		}
		for _, l := range some {
			if err := mayServe(l.Addr(), cfg); err != nil {
				return some, refuse(err)
			}
		}
		return some, nil
	}
	addr, err := net.ResolveTCPAddr("tcp", h.addr)
	if err != nil {
		return nil, refuse(err)
	}
	if err := mayServe(addr, cfg); err != nil {
		return nil, refuse(err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, refuse(err)
	}
	return []net.Listener{l}, nil
}

// mayServe refuses to serve an address of the network without mutual TLS: who reaches the API is root on this host. On
// loopback it must have been asked for.
func mayServe(addr net.Addr, cfg daemon.Config) error {
	tcp, ok := addr.(*net.TCPAddr)
	switch {
	case !ok || cfg.TLSVerify:
		return nil
	case !cfg.InsecureTCP:
		return errors.New("TCP is served with mutual TLS: give --tlsverify, --tlscacert, --tlscert and --tlskey, or --insecure-tcp for an address of loopback")
	case !tcp.IP.IsLoopback():
		return errors.New("--insecure-tcp is for addresses of loopback: whoever reaches the API is root on this host")
	}
	return nil
}

// protect puts TLS upon a listener of the network.
func protect(l net.Listener, secure *tls.Config) net.Listener {
	if _, ok := l.Addr().(*net.TCPAddr); ok && secure != nil {
		return tls.NewListener(l, secure)
	}
	return l
}

func closeAll(all []net.Listener) {
	for _, l := range all {
		_ = l.Close() // nobody was served
	}
}

package proxy

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	// idle is how long a client is remembered without a datagram of either side, as docker-proxy does.
	idle = 90 * time.Second
	// maxSessions bounds what clients with forged addresses can use up; the client that was silent longest goes first.
	maxSessions = 1024
	maxDatagram = 64 << 10
)

// datagrams is the front socket. It tells to which of the host's addresses a datagram came, and answers from there.
type datagrams interface {
	read(b []byte) (n int, to net.IP, from net.Addr, err error)
	write(b []byte, from net.IP, to net.Addr) error
}

type front4 struct{ *ipv4.PacketConn }

func (f front4) read(b []byte) (n int, to net.IP, from net.Addr, err error) {
	n, cm, from, err := f.ReadFrom(b)
	if cm != nil {
		to = cm.Dst
	}
	return n, to, from, err
}

func (f front4) write(b []byte, from net.IP, to net.Addr) error {
	var cm *ipv4.ControlMessage
	if from != nil {
		cm = &ipv4.ControlMessage{Src: from}
	}
	_, err := f.WriteTo(b, cm, to)
	return err
}

type front6 struct{ *ipv6.PacketConn }

func (f front6) read(b []byte) (n int, to net.IP, from net.Addr, err error) {
	n, cm, from, err := f.ReadFrom(b)
	if cm != nil {
		to = cm.Dst
	}
	return n, to, from, err
}

func (f front6) write(b []byte, from net.IP, to net.Addr) error {
	var cm *ipv6.ControlMessage
	if from != nil {
		cm = &ipv6.ControlMessage{Src: from}
	}
	_, err := f.WriteTo(b, cm, to)
	return err
}

// udp forwards datagrams, each client through a socket of its own, so that answers find back.
type udp struct {
	conn  *net.UDPConn
	front datagrams
	idle  time.Duration
	log   *slog.Logger

	mu       sync.Mutex
	target   netip.AddrPort
	sessions map[netip.AddrPort]*session
	closed   bool
	wg       sync.WaitGroup
}

// session is one client.
type session struct {
	client netip.AddrPort
	addr   net.Addr
	to     net.IP // which of the host's addresses the client asked
	conn   *net.UDPConn
	used   atomic.Int64 // Unix nanoseconds
}

func newUDP(c *net.UDPConn, target netip.AddrPort, log *slog.Logger) *udp {
	u := &udp{conn: c, target: target, idle: idle, log: log, sessions: make(map[netip.AddrPort]*session)}
	local := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	// Only a socket of all addresses has a choice of where to answer from. Where the kernel cannot tell, it chooses.
	if local.Unmap().Is4() {
		p := ipv4.NewPacketConn(c)
		if local.IsUnspecified() {
			_ = p.SetControlMessage(ipv4.FlagDst, true)
		}
		u.front = front4{p}
		return u
	}
	p := ipv6.NewPacketConn(c)
	if local.IsUnspecified() {
		_ = p.SetControlMessage(ipv6.FlagDst, true)
	}
	u.front = front6{p}
	return u
}

func (u *udp) serve() {
	defer u.wg.Wait()
	buf := make([]byte, maxDatagram)
	for {
		n, to, from, err := u.front.read(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			u.log.Warn("receive", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		s, err := u.session(from, to)
		if err != nil {
			u.log.Warn("connect", "error", err)
			continue
		}
		if s == nil {
			return
		}
		s.used.Store(time.Now().UnixNano())
		_, _ = s.conn.Write(buf[:n]) // datagrams get lost
	}
}

// session finds or makes a client's; nil when the proxy was closed.
func (u *udp) session(from net.Addr, to net.IP) (*session, error) {
	client := from.(*net.UDPAddr).AddrPort()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil, nil
	}
	if s := u.sessions[client]; s != nil {
		return s, nil
	}
	if len(u.sessions) >= maxSessions {
		u.evict()
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(u.target))
	if err != nil {
		return nil, err
	}
	s := &session{client: client, addr: from, to: to, conn: conn}
	s.used.Store(time.Now().UnixNano())
	u.sessions[client] = s
	u.wg.Go(func() { u.answers(s) })
	return s, nil
}

// evict ends the session that was silent longest. The caller holds mu.
func (u *udp) evict() {
	var oldest *session
	for _, s := range u.sessions {
		if oldest == nil || s.used.Load() < oldest.used.Load() {
			oldest = s
		}
	}
	delete(u.sessions, oldest.client)
	oldest.conn.Close()
}

// answers moves what the container sends to one client, until neither has said anything for a while.
func (u *udp) answers(s *session) {
	defer func() {
		u.mu.Lock()
		if u.sessions[s.client] == s {
			delete(u.sessions, s.client)
		}
		u.mu.Unlock()
		s.conn.Close()
	}()
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return
	}
	for {
		left := u.idle - time.Since(time.Unix(0, s.used.Load()))
		if left <= 0 {
			return
		}
		_ = s.conn.SetReadDeadline(time.Now().Add(left))
		err := u.answer(raw, s)
		switch {
		case err == nil:
			s.used.Store(time.Now().UnixNano())
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, net.ErrClosed):
			return
		}
		// All else is the answer to an earlier datagram: nobody listens in the container, not yet.
	}
}

var datagramPool = sync.Pool{New: func() any { b := make([]byte, maxDatagram); return &b }}

// answer waits for a datagram of the container and passes it on. It holds a buffer only while there is one: a client that
// waits costs little.
func (u *udp) answer(raw syscall.RawConn, s *session) error {
	var failed error
	err := raw.Read(func(fd uintptr) bool {
		buf := datagramPool.Get().(*[]byte)
		defer datagramPool.Put(buf)
		n, err := unix.Read(int(fd), *buf)
		for errors.Is(err, unix.EINTR) {
			n, err = unix.Read(int(fd), *buf)
		}
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false
		case err != nil:
			failed = err
		default:
			_ = u.front.write((*buf)[:n], s.to, s.addr)
		}
		return true
	})
	return errors.Join(err, failed)
}

// redirect ends all sessions: each client gets a new one with its next datagram.
func (u *udp) redirect(target netip.AddrPort) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.target == target {
		return
	}
	u.target = target
	for client, s := range u.sessions {
		s.conn.Close()
		delete(u.sessions, client)
	}
}

func (u *udp) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	u.conn.Close()
	for _, s := range u.sessions {
		s.conn.Close()
	}
}

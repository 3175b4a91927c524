package dns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// packets answers queries over udp. What needs no other server is answered by the goroutine that read it. One of its own has only a
// query that is forwarded, and the forwarder says how many of those there may be: a flood waits in the kernel's buffer, or is lost
// there, and takes none of our memory.
type packets struct {
	conn  *net.UDPConn
	serve func(src netip.Addr, query *dns.Msg, answer func(*dns.Msg))
	wg    sync.WaitGroup
}

func (p *packets) start() {
	for range runtime.GOMAXPROCS(0) {
		p.wg.Go(p.read)
	}
}

// stop returns when the last query is answered or given up.
func (p *packets) stop() {
	p.conn.Close()
	p.wg.Wait()
}

func (p *packets) read() {
	const pause = 10 * time.Millisecond // after an error that may last
	buf := make([]byte, dns.DefaultMsgSize)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(pause)
		default:
			p.take(buf[:n], from)
		}
	}
}

const headerLen = 12

func (p *packets) take(wire []byte, from netip.AddrPort) {
	answer := func(reply *dns.Msg) { p.answer(reply, from) }
	query := new(dns.Msg)
	err := query.Unpack(wire)
	switch {
	case len(wire) < headerLen || query.Response:
		// Not a query: answers to answers would never end.
	case err != nil:
		answer(new(dns.Msg).SetRcodeFormatError(query))
	default:
		p.serve(from.Addr().Unmap().WithZone(""), query, answer)
	}
}

// answer sends a reply. One that cannot be sent is lost, as every packet can be.
func (p *packets) answer(reply *dns.Msg, to netip.AddrPort) {
	wire, err := reply.Pack()
	if err != nil {
		failed := new(dns.Msg)
		failed.MsgHdr = dns.MsgHdr{Id: reply.Id, Response: true, Rcode: dns.RcodeServerFailure}
		if wire, err = failed.Pack(); err != nil {
			return
		}
	}
	p.conn.WriteToUDPAddrPort(wire, to)
}

// bounded is a listener of which one client has so many connections at most, and all together so many: who opens more finds them
// closed.
type bounded struct {
	net.Listener
	*quota
}

func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		_, client := remote(c.RemoteAddr())
		if b.enter(client) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { b.leave(client) })}, nil
		}
		c.Close()
	}
}

type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}

// errShort: a packet that is no message.
var errShort = errors.New("shorter than a message's header")

// largest holds every packet of udp. A waiting query has none: they are taken when something came.
var largest = sync.Pool{New: func() any { b := make([]byte, dns.MaxMsgSize); return &b }}

func ignoringEINTR(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// readPacket reads the next message that comes on a connected socket.
func readPacket(c *net.UDPConn) (*dns.Msg, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var reply *dns.Msg
	var failed error
	err = raw.Read(func(fd uintptr) (done bool) {
		buf := largest.Get().(*[]byte)
		defer largest.Put(buf)
		n, err := ignoringEINTR(func() (int, error) { return syscall.Read(int(fd), *buf) })
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return false
		case err != nil:
			failed = fmt.Errorf("read from name server: %w", err)
		case n < headerLen:
			failed = errShort
		default:
			reply = new(dns.Msg)
			failed = reply.Unpack((*buf)[:n])
		}
		return true
	})
	return reply, errors.Join(err, failed)
}

package dns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/miekg/dns"

	"github.com/xcengine/xc/engine"
)

// Server listens on gateways.
type Server struct {
	dir     *Directory
	host    *HostConf
	log     *slog.Logger
	forward *forwarder

	mu        sync.Mutex
	vacated   bool // port 53 is left to others
	listeners map[netip.Addr]*listener
}

type listener struct {
	network engine.NetworkID
	port    uint16
	udp     *packets
	tcp     *dns.Server
	giveUp  context.CancelFunc // on queries that wait for upstreams
	done    sync.WaitGroup
}

// NewServer returns a server that listens nowhere yet. host says whom to ask for names that are not in dir.
func NewServer(dir *Directory, host *HostConf, log *slog.Logger) *Server {
	return &Server{dir: dir, host: host, log: log, forward: newForwarder(), listeners: make(map[netip.Addr]*listener)}
}

// conns bounds the connections to a listener, connsPerClient those from one address. Each is a file of the daemon's.
const (
	conns          = 512
	connsPerClient = 128
)

// receiveBuffer holds a burst of queries, as far as the system lets it.
const receiveBuffer = 1 << 20

// Listen serves a network at its gateway address, over udp and tcp. The port that it answers is 53, or another one when
// port 53 is not free there: the packet filter must then lead queries to it. Listening already, it changes nothing.
func (s *Server) Listen(network engine.NetworkID, at netip.Addr) (port uint16, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.listeners[at]; l != nil && l.network == network {
		return l.port, nil
	} else if l != nil {
		l.stop()
		delete(s.listeners, at)
	}
	l, err := s.listen(network, at)
	if err != nil {
		return 0, err
	}
	s.listeners[at] = l
	return l.port, nil
}

// Port is the port on which the address is served; 0: it is not.
func (s *Server) Port(at netip.Addr) uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.listeners[at]; l != nil {
		return l.port
	}
	return 0
}

// Addrs lists the addresses that are served.
func (s *Server) Addrs() []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]netip.Addr, 0, len(s.listeners))
	for a := range s.listeners {
		all = append(all, a)
	}
	return all
}

// Stop ends the service at an address.
func (s *Server) Stop(at netip.Addr) {
	s.mu.Lock()
	l := s.listeners[at]
	delete(s.listeners, at)
	s.mu.Unlock()
	if l != nil {
		l.stop()
	}
}

// Vacate leaves port 53 for good, because a container wants to publish it: every listener moves to another port. It reports
// whether any moved; the packet filter must then be told.
func (s *Server) Vacate() (moved bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vacated = true
	var errs []error
	for at, old := range s.listeners {
		if old.port != dnsPort {
			continue
		}
		l, err := s.listen(old.network, at)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.listeners[at] = l
		old.stop()
		moved = true
	}
	return moved, errors.Join(errs...)
}

// Close ends everything.
func (s *Server) Close() {
	for _, at := range s.Addrs() {
		s.Stop(at)
	}
}

func (s *Server) listen(network engine.NetworkID, at netip.Addr) (*listener, error) {
	udp, tcp, port, err := s.bind(at)
	if err != nil {
		return nil, &engine.Error{Op: "resolve", Resource: engine.ResourceNetwork, ID: string(network), Err: fmt.Errorf("listen for name queries at %s: %w", at, err)}
	}
	ctx, giveUp := context.WithCancel(context.Background())
	l := &listener{network: network, port: port, giveUp: giveUp}
	l.udp = &packets{conn: udp}
	l.udp.serve = func(src netip.Addr, query *dns.Msg, answer func(*dns.Msg)) {
		s.servePacket(ctx, l, at, src, query, answer)
	}
	l.udp.start()
	started := make(chan struct{})
	l.tcp = &dns.Server{
		Listener:          &bounded{tcp, newQuota(conns, connsPerClient)},
		Handler:           dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) { s.serveStream(ctx, network, at, w, query) }),
		NotifyStartedFunc: func() { close(started) },
	}
	l.done.Go(func() {
		if err := l.tcp.ActivateAndServe(); err != nil {
			s.log.Warn("resolver ended", "network", network.Short(), "address", at, "error", err)
		}
	})
	<-started // Shutdown of a server that has not started does nothing
	return l, nil
}

func (l *listener) stop() {
	l.giveUp()
	l.tcp.Shutdown() // fails only for a server that does not run
	l.udp.stop()
	l.done.Wait()
}

// bind takes the same port for udp and tcp: 53 if it can be had.
func (s *Server) bind(at netip.Addr) (*net.UDPConn, net.Listener, uint16, error) {
	const attempts = 16 // a port that tcp chose may be taken for udp
	var err error
	for i := range attempts {
		port := uint16(dnsPort)
		if s.vacated || i > 0 {
			port = 0
		}
		var (
			udp *net.UDPConn
			tcp net.Listener
		)
		udp, tcp, err = bindBoth(netip.AddrPortFrom(at, port))
		if err == nil {
			return udp, tcp, udp.LocalAddr().(*net.UDPAddr).AddrPort().Port(), nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EACCES) {
			break
		}
	}
	return nil, nil, 0, err
}

func bindBoth(at netip.AddrPort) (*net.UDPConn, net.Listener, error) {
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, nil, err
	}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(tcp.Addr().(*net.TCPAddr).AddrPort()))
	if err != nil {
		return nil, nil, errors.Join(err, tcp.Close())
	}
	udp.SetReadBuffer(receiveBuffer) // best effort
	return udp, tcp, nil
}

// servePacket answers a query over udp, at once or, when other servers are asked, later.
func (s *Server) servePacket(ctx context.Context, l *listener, at, src netip.Addr, query *dns.Msg, answer func(*dns.Msg)) {
	finish := func(reply *dns.Msg) {
		reply.Compress = true
		reply.Truncate(replySize(query))
		answer(reply)
	}
	v := s.dir.judge(l.network, src, at, query)
	if v.reply != nil {
		finish(v.own(query))
		return
	}
	servers := s.servers(v)
	if len(servers) == 0 || !s.forward.enter(src) {
		finish(rcode(query, dns.RcodeServerFailure))
		return
	}
	l.udp.wg.Go(func() {
		defer s.forward.leave(src)
		finish(s.ask(ctx, "udp", src, servers, query))
	})
}

// serveStream answers a query over tcp.
func (s *Server) serveStream(ctx context.Context, network engine.NetworkID, at netip.Addr, w dns.ResponseWriter, query *dns.Msg) {
	_, src := remote(w.RemoteAddr())
	v := s.dir.judge(network, src, at, query)
	reply := v.own(query)
	if reply == nil {
		reply = rcode(query, dns.RcodeServerFailure)
		if servers := s.servers(v); len(servers) > 0 && s.forward.enter(src) {
			reply = s.ask(ctx, "tcp", src, servers, query)
			s.forward.leave(src)
		}
	}
	reply.Compress = true
	if err := w.WriteMsg(reply); err != nil && ctx.Err() == nil {
		s.log.Debug("name query not answered", "network", network.Short(), "client", src, "error", err)
	}
}

// own is the reply that needs no other server; nil: there is none.
func (v verdict) own(query *dns.Msg) *dns.Msg {
	if opt := query.IsEdns0(); opt != nil && v.reply != nil {
		v.reply.SetEdns0(dns.DefaultMsgSize, opt.Do())
	}
	return v.reply
}

// servers are those that a query is forwarded to: the client's, or the host's.
func (s *Server) servers(v verdict) []netip.Addr {
	servers := v.upstreams
	if len(servers) == 0 && v.forward {
		servers = s.host.Conf().Servers
	}
	return s.others(servers)
}

// ask forwards a query that the forwarder let in.
func (s *Server) ask(ctx context.Context, proto string, src netip.Addr, servers []netip.Addr, query *dns.Msg) *dns.Msg {
	reply, err := s.forward.ask(ctx, proto, servers, query)
	if err != nil {
		s.log.Debug("name query not forwarded", "client", src, "servers", servers, "error", err)
		return rcode(query, dns.RcodeServerFailure)
	}
	return reply
}

// others leaves out the addresses where we ourselves would be asked.
func (s *Server) others(servers []netip.Addr) []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []netip.Addr
	for _, a := range servers {
		if s.listeners[a] == nil {
			left = append(left, a)
		}
	}
	return left
}

// replySize is how long an answer over udp may be.
func replySize(query *dns.Msg) int {
	if opt := query.IsEdns0(); opt != nil {
		return max(dns.MinMsgSize, int(opt.UDPSize()))
	}
	return dns.MinMsgSize
}

func remote(a net.Addr) (proto string, src netip.Addr) {
	switch a := a.(type) {
	case *net.UDPAddr:
		return "udp", a.AddrPort().Addr().Unmap().WithZone("")
	case *net.TCPAddr:
		return "tcp", a.AddrPort().Addr().Unmap().WithZone("")
	}
	return "tcp", netip.Addr{}
}

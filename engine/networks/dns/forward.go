package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"
)

const (
	// try is how long one server is waited for. Two rounds over two servers end before a client's usual second attempt.
	try    = 2 * time.Second
	rounds = 2
	// atOnce bounds the queries that wait for upstreams, perClient those of one source address.
	atOnce    = 4096
	perClient = 1024
	dnsPort   = 53
)

var errNoUpstream = errors.New("no name server answered")

// forwarder asks upstream servers.
type forwarder struct {
	// Tests change the upstreams' port and how long one is waited for.
	port    uint16
	wait    time.Duration
	flights singleflight.Group
	*quota  // of queries that wait
}

func newForwarder() *forwarder {
	return &forwarder{port: dnsPort, wait: try, quota: newQuota(atOnce, perClient)}
}

// ask returns the servers' answer to query with query's id. proto is how the client came: "udp" or "tcp". An answer over udp
// may be truncated, the client then comes by tcp. The caller has entered.
func (f *forwarder) ask(ctx context.Context, proto string, servers []netip.Addr, query *dns.Msg) (*dns.Msg, error) {
	key, err := flightKey(proto, servers, query)
	if err != nil {
		return nil, err
	}
	answer, err, _ := f.flights.Do(key, func() (any, error) { return f.exchange(ctx, proto, servers, query) })
	if err != nil {
		return nil, err
	}
	reply := answer.(*dns.Msg).Copy() // shared with those who asked the same
	reply.Id = query.Id
	return reply, nil
}

// exchange asks one server after the other. A failure or refusal is remembered, for when nobody does better.
func (f *forwarder) exchange(ctx context.Context, proto string, servers []netip.Addr, query *dns.Msg) (*dns.Msg, error) {
	var second *dns.Msg
	for range rounds {
		for _, server := range servers {
			reply, err := f.exchangeWith(ctx, proto, netip.AddrPortFrom(server, f.port), query)
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case err != nil:
			case reply.Rcode == dns.RcodeServerFailure || reply.Rcode == dns.RcodeRefused:
				second = reply
			default:
				return reply, nil
			}
		}
		if second != nil {
			return second, nil
		}
	}
	return nil, errNoUpstream
}

func (f *forwarder) exchangeWith(ctx context.Context, proto string, server netip.AddrPort, query *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, f.wait)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, proto, server.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ask := query.Copy()
	ask.Id = dns.Id()
	if packets, ok := c.(*net.UDPConn); ok {
		return f.exchangePackets(ctx, packets, ask)
	}
	client := dns.Client{Net: proto, Timeout: f.wait}
	reply, _, err := client.ExchangeWithConnContext(ctx, ask, &dns.Conn{Conn: c})
	if err != nil {
		return nil, err
	}
	return reply, isAnswer(reply, ask)
}

// exchangePackets asks over udp. What comes with another id is somebody's attempt to pass for the server: the answer may still come.
// Some servers send more than was asked for: it is taken, and the client's own limit truncates it.
func (f *forwarder) exchangePackets(ctx context.Context, c *net.UDPConn, ask *dns.Msg) (*dns.Msg, error) {
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	wire, err := ask.Pack()
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(wire); err != nil {
		return nil, err
	}
	for {
		reply, err := readPacket(c)
		switch {
		case reply == nil && !errors.Is(err, errShort):
			return nil, err
		case reply != nil && reply.Id == ask.Id:
			return reply, errors.Join(err, isAnswer(reply, ask))
		}
	}
}

func isAnswer(reply, ask *dns.Msg) error {
	if !slices.EqualFunc(reply.Question, ask.Question, sameQuestion) {
		return errors.New("the answer is to another question")
	}
	return nil
}

func sameQuestion(a, b dns.Question) bool {
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}

// flightKey is the same for queries that differ in nothing but their id.
func flightKey(proto string, servers []netip.Addr, query *dns.Msg) (string, error) {
	same := query.Copy()
	same.Id = 0
	wire, err := same.Pack()
	if err != nil {
		return "", err
	}
	key := proto
	for _, s := range servers {
		key += " " + s.String()
	}
	return key + " " + string(wire), nil
}

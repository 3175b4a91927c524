package networktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// programWord is the first argument of the test binary when it is run as one of the programs.
const programWord = "networktest-program"

// Main runs the tests, or is one of the programs that they start.
func Main(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == programWord {
		if err := program(os.Args[2], os.Args[3:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func program(name string, args []string, out io.Writer) error {
	switch {
	case name == "serve" && len(args) == 3:
		return serve(args[0], args[1], args[2], out)
	case name == "ask" && len(args) == 3:
		return ask(args[0], args[1], args[2], out)
	case name == "show":
		return show(out)
	case name == "nameserver" && len(args) == 2:
		return nameserver(args[0], args[1], out)
	case name == "resolve" && len(args) == 3:
		return resolve(args[0], args[1], args[2], out)
	}
	return fmt.Errorf("unknown program %s %s", name, strings.Join(args, " "))
}

// serve answers whoever asks with its name and the asker's address, until it is interrupted. It says when it listens.
func serve(network, addr, name string, out io.Writer) error {
	reply := func(from net.Addr) []byte {
		ap := netip.MustParseAddrPort(from.String())
		return fmt.Appendf(nil, "%s %s", name, ap.Addr().Unmap().WithZone(""))
	}
	if strings.HasPrefix(network, "udp") {
		c, err := net.ListenPacket(network, addr)
		if err != nil {
			return err
		}
		go func() {
			var b [512]byte
			for {
				_, from, err := c.ReadFrom(b[:])
				if err != nil {
					return
				}
				c.WriteTo(reply(from), from)
			}
		}()
	} else {
		l, err := net.Listen(network, addr)
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Write(reply(c.RemoteAddr()))
				c.Close()
			}
		}()
	}
	return interrupted(out)
}

// interrupted says that a server listens, and returns when it is interrupted.
func interrupted(out io.Writer) error {
	fmt.Fprintln(out, "listening")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
	return nil
}

// nameserver answers every query for an address with this one.
func nameserver(addr, answer string, out io.Writer) error {
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	go dns.ActivateAndServe(nil, c, dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		reply := new(dns.Msg).SetReply(query)
		if q := query.Question[0]; q.Qtype == dns.TypeA {
			reply.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.ParseIP(answer)}}
		}
		w.WriteMsg(reply)
	}))
	return interrupted(out)
}

// ask prints what the server at addr answers within the time. The network may say from where: "udp4@192.0.2.1:7777".
func ask(network, addr, within string, out io.Writer) error {
	limit, err := time.ParseDuration(within)
	if err != nil {
		return err
	}
	end := time.Now().Add(limit)
	d := net.Dialer{Deadline: end}
	network, from, _ := strings.Cut(network, "@")
	if from != "" {
		if d.LocalAddr, err = net.ResolveUDPAddr(network, from); err != nil {
			return err
		}
	}
	c, err := d.Dial(network, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(end)
	var b [512]byte
	if strings.HasPrefix(network, "udp") {
		if _, err := c.Write([]byte("?")); err != nil {
			return err
		}
	}
	n, err := c.Read(b[:])
	if err != nil {
		return err
	}
	fmt.Fprint(out, string(b[:n]))
	return nil
}

// Interface is an interface as a program sees it.
type Interface struct {
	MAC   string
	MTU   int
	Up    bool
	Addrs []netip.Prefix
}

// show prints the interfaces by name.
func show(out io.Writer) error {
	all, err := net.Interfaces()
	if err != nil {
		return err
	}
	seen := make(map[string]Interface)
	for _, i := range all {
		got := Interface{MAC: i.HardwareAddr.String(), MTU: i.MTU, Up: i.Flags&net.FlagUp != 0}
		addrs, err := i.Addrs()
		if err != nil {
			return err
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && !p.Addr().IsLinkLocalUnicast() {
				got.Addrs = append(got.Addrs, p)
			}
		}
		seen[i.Name] = got
	}
	return json.NewEncoder(out).Encode(seen)
}

// resolve prints what a name server answers to a query, sorted, or how it refuses.
func resolve(server, name, kind string, out io.Writer) error {
	c := dns.Client{Timeout: 5 * time.Second}
	reply, _, err := c.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[kind]), net.JoinHostPort(server, "53"))
	if err != nil {
		return err
	}
	var answers []string
	for _, rr := range reply.Answer {
		answers = append(answers, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	slices.Sort(answers)
	fmt.Fprint(out, strings.TrimSpace(dns.RcodeToString[reply.Rcode]+" "+strings.Join(answers, " ")))
	return nil
}

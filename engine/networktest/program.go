package networktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"
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
	fmt.Fprintln(out, "listening")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
	return nil
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

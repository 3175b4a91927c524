package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// httpd [ADDRESS [BODY]]: answers every request with BODY, a line of who asked ("from ADDRESS"), and the path. TERM ends it
// with 0.
func httpd(args []string, s stdio) int {
	addr, body := ":80", "hello from testbox"
	if len(args) > 0 {
		addr = args[0]
	}
	if len(args) > 1 {
		body = args[1]
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return s.fail(err)
	}
	fmt.Fprintln(s.out, "listening on", l.Addr())
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(s.out, r.Method, r.URL.Path)
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "%s\nfrom %s\n%s\n", body, host, r.URL.Path)
	})}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(l); ctx.Err() == nil {
		return s.fail(err)
	}
	return 0
}

// say unix|unixgram PATH WORD: sends the word to a Unix-domain socket, and prints the answer where there can be one.
func say(args []string, s stdio) int {
	c, err := net.DialUnix(args[0], nil, &net.UnixAddr{Net: args[0], Name: args[1]})
	if err != nil {
		return s.fail(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, args[2]); err != nil {
		return s.fail(err)
	}
	if args[0] == "unixgram" {
		return 0
	}
	if err := c.CloseWrite(); err != nil {
		return s.fail(err)
	}
	if _, err := io.Copy(s.out, c); err != nil {
		return s.fail(err)
	}
	return 0
}

// get URL [SECONDS]: prints the body.
func get(args []string, s stdio) int {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(args[0])
	if err != nil {
		return s.fail(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(s.out, resp.Body); err != nil {
		return s.fail(err)
	}
	if resp.StatusCode != http.StatusOK {
		return 22
	}
	return 0
}

// tcpecho ADDRESS: sends back what it gets, on every connection until its client half-closes.
func tcpEcho(args []string, s stdio) int {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return s.fail(err)
	}
	fmt.Fprintln(s.out, "listening on", l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return s.fail(err)
		}
		go func() {
			defer c.Close()
			io.Copy(c, c) //nolint:errcheck // the client sees it
		}()
	}
}

// udpecho ADDRESS: sends back each datagram.
func udpEcho(args []string, s stdio) int {
	c, err := net.ListenPacket("udp", args[0])
	if err != nil {
		return s.fail(err)
	}
	fmt.Fprintln(s.out, "listening on", c.LocalAddr())
	buf := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return s.fail(err)
		}
		if _, err := c.WriteTo(buf[:n], from); err != nil {
			fmt.Fprintln(s.err, err)
		}
	}
}

// send tcp|udp ADDRESS TEXT: sends the text and prints the answer.
func send(args []string, s stdio) int {
	if len(args) != 3 {
		return 2
	}
	c, err := net.DialTimeout(args[0], args[1], 3*time.Second)
	if err != nil {
		return s.fail(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		return s.fail(err)
	}
	if _, err := io.WriteString(c, args[2]); err != nil {
		return s.fail(err)
	}
	if t, ok := c.(*net.TCPConn); ok {
		if err := t.CloseWrite(); err != nil {
			return s.fail(err)
		}
		if _, err := io.Copy(s.out, c); err != nil {
			return s.fail(err)
		}
		return 0
	}
	buf := make([]byte, 64<<10)
	n, err := c.Read(buf)
	if err != nil {
		return s.fail(err)
	}
	if _, err := s.out.Write(buf[:n]); err != nil {
		return s.fail(err)
	}
	return 0
}

// lookup NAME…: addresses of each name, sorted, one a line. A name beginning with a digit is looked up backwards.
func lookup(args []string, s stdio) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, name := range args {
		find := net.DefaultResolver.LookupHost
		if net.ParseIP(name) != nil {
			find = net.DefaultResolver.LookupAddr
		}
		found, err := find(ctx, name)
		if err != nil {
			return s.fail(err)
		}
		slices.Sort(found)
		for _, a := range found {
			fmt.Fprintln(s.out, a)
		}
	}
	return 0
}

// ifaddrs: each interface with its hardware address, MTU and addresses.
func ifaddrs(_ []string, s stdio) int {
	interfaces, err := net.Interfaces()
	if err != nil {
		return s.fail(err)
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			return s.fail(err)
		}
		fmt.Fprintln(s.out, i.Name, i.HardwareAddr, i.MTU, addrs)
	}
	return 0
}

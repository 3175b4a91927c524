package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
	"golang.org/x/sync/errgroup"
)

const (
	transferred = 256 << 20 // bytes, each way
	echoPort    = "7/tcp"
	// The other machine is a network namespace beside this one.
	otherNetns          = "xcbench"
	hereAddr, otherAddr = "198.18.78.1/24", "198.18.78.2/24"
)

// pumpArg makes this program the client of a transfer: pumpArg ADDRESS BYTES.
const pumpArg = "-pump"

// pump sends bytes to an echo server, gets them back, and prints how long it took, in nanoseconds.
func pump(args []string, out io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("%s ADDRESS BYTES", pumpArg)
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	begin := time.Now()
	c, err := net.DialTimeout("tcp", args[0], 10*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(begin.Add(2 * time.Minute)); err != nil {
		return err
	}
	var both errgroup.Group
	both.Go(func() error {
		block := make([]byte, 256<<10)
		for left := n; left > 0; left -= int64(len(block)) {
			if _, err := c.Write(block[:min(left, int64(len(block)))]); err != nil {
				return err
			}
		}
		return c.(*net.TCPConn).CloseWrite()
	})
	both.Go(func() error {
		got, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 256<<10))
		if err == nil && got != n {
			err = fmt.Errorf("%d bytes of %d came back", got, n)
		}
		return err
	})
	if err := both.Wait(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, time.Since(begin).Nanoseconds())
	return err
}

// pumpIn runs pump in a network namespace; empty: this one.
func pumpIn(ctx context.Context, netns, address string) (time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	args := []string{self, pumpArg, address, strconv.Itoa(transferred)}
	if netns != "" {
		args = append([]string{"nsenter", "--net=" + netns, "--"}, args...)
	}
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		return 0, fmt.Errorf("transfer by %s: %w", address, err)
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return time.Duration(ns), err
}

// transfer times a transfer to a container's echo server that is published on every address of the host, as way does it.
func transfer(way func(ctx context.Context, s *side, server container.InspectResponse) (time.Duration, error)) func(context.Context, *side) (time.Duration, error) {
	return func(ctx context.Context, s *side) (d time.Duration, err error) {
		id, done, err := s.started(ctx, container.HostConfig{PortBindings: nat.PortMap{echoPort: {{HostIP: "0.0.0.0"}}}}, "tcpecho", ":7")
		if err != nil {
			return 0, err
		}
		defer done(&err)
		c, err := s.ContainerInspect(ctx, id)
		if err != nil {
			return 0, err
		}
		if len(c.NetworkSettings.Ports[echoPort]) == 0 {
			return 0, fmt.Errorf("%s publishes no port", s.name)
		}
		if err := listening(ctx, net.JoinHostPort(address(c), "7")); err != nil {
			return 0, err
		}
		return way(ctx, s, c)
	}
}

// listening waits until somebody does.
func listening(ctx context.Context, at string) error {
	for {
		c, err := net.DialTimeout("tcp", at, time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func published(c container.InspectResponse, host string) string {
	return net.JoinHostPort(host, c.NetworkSettings.Ports[echoPort][0].HostPort)
}

func byLoopback(ctx context.Context, _ *side, server container.InspectResponse) (time.Duration, error) {
	return pumpIn(ctx, "", published(server, "127.0.0.1"))
}

// address is a container's own in the default network.
func address(c container.InspectResponse) string {
	if e := c.NetworkSettings.Networks["bridge"]; e != nil {
		return e.IPAddress
	}
	return ""
}

func fromHost(ctx context.Context, _ *side, server container.InspectResponse) (time.Duration, error) {
	return pumpIn(ctx, "", net.JoinHostPort(address(server), "7"))
}

func betweenContainers(ctx context.Context, s *side, server container.InspectResponse) (d time.Duration, err error) {
	id, done, err := s.started(ctx, container.HostConfig{}, "sleep", "1000")
	if err != nil {
		return 0, err
	}
	defer done(&err)
	client, err := s.ContainerInspect(ctx, id)
	if err != nil {
		return 0, err
	}
	return pumpIn(ctx, fmt.Sprintf("/proc/%d/ns/net", client.State.Pid), net.JoinHostPort(address(server), "7"))
}

// fromOutside makes another machine of a network namespace, and takes it away again.
func fromOutside(ctx context.Context, _ *side, server container.InspectResponse) (d time.Duration, err error) {
	ip := func(args ...string) error {
		out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
		return err
	}
	if err := ip("netns", "add", otherNetns); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, ip("netns", "del", otherNetns)) }()
	for _, args := range [][]string{
		{"link", "add", otherNetns, "type", "veth", "peer", "name", "eth0", "netns", otherNetns},
		{"addr", "add", hereAddr, "dev", otherNetns},
		{"link", "set", otherNetns, "up"},
		{"-n", otherNetns, "addr", "add", otherAddr, "dev", "eth0"},
		{"-n", otherNetns, "link", "set", "eth0", "up"},
	} {
		if err := ip(args...); err != nil {
			return 0, err
		}
	}
	return pumpIn(ctx, "/run/netns/"+otherNetns, published(server, netip.MustParsePrefix(hereAddr).Addr().String()))
}

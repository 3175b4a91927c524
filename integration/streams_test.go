package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// held is what the daemon holds: goroutines, descriptors, listeners of events.
type held struct{ goroutines, descriptors, listeners int }

// holds asks the daemon what it holds, over a connection that goes again.
func (e *engine) holds() held {
	e.t.Helper()
	c := e.client()
	defer c.Close()
	info, err := c.Info(context.Background())
	if err != nil {
		e.t.Fatal(err)
	}
	return held{info.NGoroutines, info.NFd, info.NEventsListener}
}

// holdsNoMore waits until the daemon holds no more than before.
func (e *engine) holdsNoMore(than held) {
	e.t.Helper()
	var now held
	for end := time.Now().Add(kit.patience * 10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now = e.holds()
		if now.goroutines <= than.goroutines && now.descriptors <= than.descriptors && now.listeners <= than.listeners {
			return
		}
		if time.Now().After(end) {
			e.t.Errorf("the daemon held %+v, and now %+v", than, now)
			return
		}
	}
}

// TestClientsVanish kills docker commands in the middle of all that streams. The daemon must give back what it held for them.
func TestClientsVanish(t *testing.T) {
	e := start(t)
	e.must("run", "-d", "-i", "--name", "loud", "testbox", "lines", "1000000000")
	e.must("run", "-d", "-i", "--name", "quiet", "testbox", "cat")
	e.must("run", "-d", "-it", "--name", "term", "testbox", "cat")
	e.must("run", "-d", "--name", "busy", "testbox", "lines", "100000000", "0.0001")
	e.must("exec", "busy", "sh", "-c", "bytes 50000000 > /big")
	for _, args := range [][]string{
		{"logs", "-f", "busy"},
		{"logs", "-f", "loud"},
		{"logs", "-f", "quiet"},
		{"attach", "loud"},
		{"attach", "quiet"},
		{"attach", "--no-stdin", "quiet"},
		{"exec", "-i", "quiet", "cat"},
		{"exec", "quiet", "lines", "1000000000"},
		{"exec", "quiet", "sleep", "1000"},
		{"events"},
		{"stats"},
		{"stats", "quiet"},
		{"wait", "quiet"},
		{"cp", "busy:/big", "-"},
		{"export", "busy"},
		{"save", "testbox"},
		{"run", "--rm", "-i", "--name", "run", "testbox", "cat"},
		{"run", "--rm", "--name", "run", "testbox", "lines", "1000000000"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			e.t = t
			before := e.holds()
			for range 3 {
				ctx, cancel := context.WithCancel(context.Background())
				cmd := e.command(ctx, args...)
				in, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintln(in, "hello")
				time.Sleep(150 * time.Millisecond)
				io.ReadAtLeast(out, make([]byte, 1), 0) //nolint:errcheck // mostly unread, so that it is stuck
				cancel()
				cmd.Wait() //nolint:errcheck // it is killed
				if args[0] == "run" {
					e.docker("rm", "-f", "run")
					eventually(t, "its end", func() bool { return e.must("ps", "-aq", "-f", "name=^run$") == "" })
				}
			}
			if args[0] == "exec" {
				// An exec outlives its client, as with dockerd; its end gives back the rest.
				e.must("restart", "-t", "0", "quiet")
			}
			e.holdsNoMore(before)
		})
	}
	e.t = t
	if got := e.must("exec", "busy", "echo", "well"); got != "well" {
		t.Errorf("exec gave %q", got)
	}
}

// TestAttachWithoutStart attaches to a container that is not started, and leaves: alone, in company, and by the container's
// removal.
func TestAttachWithoutStart(t *testing.T) {
	e := start(t)
	c, ctx := e.client(), context.Background()
	e.must("create", "-i", "--name", "later", "testbox", "cat")
	all := container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true}
	if _, err := c.Ping(ctx); err != nil { // its connection stays
		t.Fatal(err)
	}
	before := e.holds()
	for range 5 {
		a, err := c.ContainerAttach(ctx, "later", all)
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
	}
	e.holdsNoMore(before)
	stays, err := c.ContainerAttach(ctx, "later", all)
	if err != nil {
		t.Fatal(err)
	}
	goes, err := c.ContainerAttach(ctx, "later", all)
	if err != nil {
		t.Fatal(err)
	}
	goes.Close()
	e.must("start", "later")
	io.WriteString(stays.Conn, "text\n") //nolint:errcheck // the next line tells
	var out bytes.Buffer
	if err := stays.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdcopy.StdCopy(&out, io.Discard, stays.Reader); err != nil || out.String() != "text\n" {
		t.Errorf("got %q %v", out.String(), err)
	}
	stays.Close()
	e.must("wait", "later")
	if stays, err = c.ContainerAttach(ctx, "later", all); err != nil {
		t.Fatal(err)
	}
	e.must("rm", "later")
	if _, err := io.Copy(io.Discard, stays.Reader); err != nil {
		t.Errorf("at the container's removal: %v", err)
	}
	stays.Close()
	e.holdsNoMore(before)
}

func TestMillionLines(t *testing.T) {
	e := start(t)
	n := 1_000_000 / int(kit.patience)
	r := e.docker("run", "--name", "many", "testbox", "lines", fmt.Sprint(n))
	if got := counted(t, "run", r.out); got != n {
		t.Errorf("run gave %d lines", got)
	}
	if got := counted(t, "logs", e.must("logs", "many")+"\n"); got != n {
		t.Errorf("logs gave %d lines", got)
	}
	if got := e.must("logs", "-n", "2", "many"); got != fmt.Sprintf("line %d\nline %d", n-1, n) {
		t.Errorf("the last two are %q", got)
	}
}

// TestSlowReader reads an attached stream slowly: nothing is lost, and others are served meanwhile.
func TestSlowReader(t *testing.T) {
	e := start(t)
	e.must("create", "--name", "fast", "testbox", "sh", "-c", "lines 300000; echo -e done")
	c := e.client()
	ctx := context.Background()
	a, err := c.ContainerAttach(ctx, "fast", container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	e.must("start", "fast")
	time.Sleep(300 * time.Millisecond)
	if got := e.must("exec", "fast", "echo", "meanwhile"); got != "meanwhile" {
		t.Errorf("exec gave %q", got)
	}
	var out, errs bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errs, slowly{a.Reader}); err != nil {
		t.Fatal(err)
	}
	if got := counted(t, "attach", out.String()); got != 300_000 || errs.String() != "done\n" {
		t.Errorf("%d lines and %q", got, errs.String())
	}
	if got := e.must("wait", "fast"); got != "0" {
		t.Errorf("wait gave %s", got)
	}
}

// slowly reads 64 KiB a millisecond at most.
type slowly struct{ io.Reader }

func (s slowly) Read(b []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.Reader.Read(b[:min(len(b), 64<<10)])
}

// TestHalfClose ends the input and still reads what comes of it, over the connection itself.
func TestHalfClose(t *testing.T) {
	e := start(t)
	c, ctx := e.client(), context.Background()
	for _, kind := range []string{"attach", "exec"} {
		e.must("create", "-i", "--name", "sum", "testbox", "wc")
		if kind == "exec" {
			e.must("create", "-i", "--name", "host", "testbox", "sleep", "100")
			e.must("start", "host")
		}
		var conn net.Conn
		var r io.Reader
		if kind == "attach" {
			a, err := c.ContainerAttach(ctx, "sum", container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			e.must("start", "sum")
			conn, r = a.Conn, a.Reader
		} else {
			x, err := c.ContainerExecCreate(ctx, "host", container.ExecOptions{Cmd: []string{"wc"}, AttachStdin: true, AttachStdout: true})
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.ContainerExecAttach(ctx, x.ID, container.ExecAttachOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			conn, r = a.Conn, a.Reader
		}
		if _, err := io.WriteString(conn, strings.Repeat("a line\n", 100_000)); err != nil {
			t.Fatal(err)
		}
		if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := stdcopy.StdCopy(&out, io.Discard, r); err != nil || out.String() != "100000 700000\n" {
			t.Errorf("%s: %q %v", kind, out.String(), err)
		}
		e.must("rm", "-f", "sum")
	}
	e.must("rm", "-f", "host")
}

// TestInputStaysOpen leaves a container without StdinOnce its input when a client ends its own.
func TestInputStaysOpen(t *testing.T) {
	e := start(t)
	e.must("run", "-d", "-i", "--name", "cat", "testbox", "cat")
	e.must("run", "-d", "--name", "none", "testbox", "sh", "-c", "cat; echo over; sleep 1000")
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		cmd := e.command(ctx, "attach", "cat")
		cmd.Stdin = strings.NewReader("text\n")
		cmd.Run() //nolint:errcheck // it is killed
		cancel()
	}
	if got := e.must("logs", "cat"); got != "text\ntext" {
		t.Errorf("log: %q", got)
	}
	if got := e.state("cat"); got != "running 0" {
		t.Errorf("state %s", got)
	}
	eventually(t, "an empty input", func() bool { return e.must("logs", "none") == "over" })
}

// TestCopyOfManyBytes sends and fetches a large file, whole.
func TestCopyOfManyBytes(t *testing.T) {
	e := start(t)
	from, back := filepath.Join(e.dir, "from"), filepath.Join(e.dir, "back")
	data := bytes.Repeat([]byte("0123456789abcdef"), 50<<20/16)
	if err := os.WriteFile(from, data, 0o600); err != nil {
		t.Fatal(err)
	}
	e.must("create", "--name", "box", "testbox", "sleep", "100")
	e.must("cp", from, "box:/file")
	e.must("cp", "box:/file", back)
	got, err := os.ReadFile(back)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(data), err)
	}
}

package integration

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answering serves a socket that everyone may use: it says whose connection it is and what it was told.
func answering(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				word, _ := io.ReadAll(c) // the client ends its half first
				fmt.Fprintf(c, "%s said %s\n", peer(c), word)
			}()
		}
	}()
	return l
}

// peer is the user and group of who connected.
func peer(c *net.UnixConn) string {
	raw, err := c.SyscallConn()
	if err != nil {
		return err.Error()
	}
	var who string
	if err := raw.Control(func(fd uintptr) { who = peerOf(int(fd)) }); err != nil {
		return err.Error()
	}
	return who
}

func TestSocketsOfTheHost(t *testing.T) {
	e := start(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	stream, messages, closed := filepath.Join(dir, "s"), filepath.Join(dir, "m"), filepath.Join(dir, "closed")
	l := answering(t, stream)
	answering(t, closed)
	if err := os.Chmod(closed, 0o600); err != nil {
		t.Fatal(err)
	}
	receiver, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: messages})
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	for _, tc := range []struct {
		args      []string
		out, fail string
	}{
		{[]string{"-v", stream + ":/var/run/docker.sock", "testbox", "say", "unix", "/var/run/docker.sock", "hello"}, "0:0 said hello\n", ""},
		{[]string{"--mount", "type=bind,src=" + stream + ",dst=/new/dir/s,readonly", "testbox", "say", "unix", "/new/dir/s", "hello"}, "0:0 said hello\n", ""},
		{[]string{"--read-only", "-v", stream + ":/s", "testbox", "say", "unix", "/s", "hello"}, "0:0 said hello\n", ""},
		{[]string{"-v", dir + ":/d", "testbox", "say", "unix", "/d/s", "hello"}, "0:0 said hello\n", ""},
		{[]string{"-u", "1234:1235", "-v", stream + ":/s", "testbox", "say", "unix", "/s", "hello"}, "1234:1235 said hello\n", ""},
		{[]string{"-u", "1234:1235", "-v", closed + ":/s", "testbox", "say", "unix", "/s", "hello"}, "", "permission denied"},
	} {
		r := e.docker(append([]string{"run", "--rm", "--network", "none"}, tc.args...)...)
		if r.out != tc.out || (r.code == 0) != (tc.fail == "") || !strings.Contains(r.err, tc.fail) {
			t.Errorf("%v: %+v", tc.args, r)
		}
	}

	e.must("run", "--rm", "--network", "none", "-v", messages+":/m", "testbox", "say", "unixgram", "/m", "a message")
	b := make([]byte, 64)
	if err := receiver.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := receiver.Read(b); err != nil || string(b[:n]) != "a message" {
		t.Errorf("received %q, %v", b[:n], err)
	}

	// The daemon is not needed for it, and a second start finds what the first one left.
	e.must("run", "-d", "--name", "stays", "--network", "none", "-v", stream+":/s", "testbox", "sleep", "600")
	e.kill(syscall.SIGKILL)
	e.boot()
	if got := e.must("exec", "stays", "say", "unix", "/s", "again"); got != "0:0 said again" {
		t.Errorf("after kill -9: %q", got)
	}
	l.Close() // takes its socket along
	answering(t, stream)
	e.must("restart", "-t", "0", "stays")
	if got := e.must("exec", "stays", "say", "unix", "/s", "anew"); got != "0:0 said anew" {
		t.Errorf("after a restart: %q", got)
	}
}

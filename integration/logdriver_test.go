package integration

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// datagrams collects what is sent to a socket of this test.
func datagrams(t *testing.T, network, address string) (at string, next func() string) {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	buf := make([]byte, 1<<16)
	return c.LocalAddr().String(), func() string {
		if err := c.SetReadDeadline(time.Now().Add(kit.patience * 10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

// TestSyslog sends containers' lines to receivers of this test, and reads them with docker logs as well.
func TestSyslog(t *testing.T) {
	e := start(t)
	udp, next := datagrams(t, "udp", "127.0.0.1:0")
	e.must("run", "--name", "web", "--log-driver", "syslog", "--log-opt", "syslog-address=udp://"+udp, "--log-opt", "tag={{.Name}}/{{.ID}}",
		"--log-opt", "syslog-facility=local1", "testbox", "sh", "-c", "echo out; echo -e err")
	id := id12(e.must("inspect", "-f", "{{.Id}}", "web"))
	got := next() + next()
	for _, want := range []string{"<142>", " web/" + id + "[", "]: out\n", "<139>", "]: err\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if got := e.docker("logs", "web"); got.out != "out\n" || got.err != "err\n" {
		t.Errorf("docker logs: %+v", got)
	}
	if got := e.must("inspect", "-f", "{{.LogPath}}{{.HostConfig.LogConfig.Type}}", "web"); got != "syslog" {
		t.Errorf("path and driver of the log: %q", got)
	}

	path := filepath.Join(e.dir, "log.sock")
	_, next = datagrams(t, "unixgram", path)
	e.must("run", "--name", "apart", "--log-driver", "syslog", "--log-opt", "syslog-address=unix://"+path, "--log-opt", "syslog-format=rfc5424",
		"--log-opt", "cache-disabled=true", "--log-opt", "tag=t", "testbox", "echo", "5424")
	if got := next(); !strings.HasPrefix(got, "<30>1 ") || !strings.Contains(got, " t ") || !strings.HasSuffix(got, " - 5424\n") {
		t.Errorf("RFC 5424: %q", got)
	}
	e.fails(1, "configured logging driver does not support reading", "logs", "apart")

	e.fails(125, "connection refused", "run", "--log-driver", "syslog", "--log-opt", "syslog-address=tcp://127.0.0.1:"+freePort(t), "testbox", "true")
	e.fails(1, "invalid syslog facility", "create", "--log-driver", "syslog", "--log-opt", "syslog-facility=nope", "testbox", "true")
	e.fails(1, `"journald" is not supported: use json-file, local, syslog or none`, "create", "--log-driver", "journald", "testbox", "true")
}

// TestAttachAfterTheLog asks for the log and then the output of a container that writes in the middle of lines.
func TestAttachAfterTheLog(t *testing.T) {
	e := start(t)
	e.must("create", "-i", "--name", "box", "testbox", "sh", "-c", "echo one; printf 'tw'; cat")
	e.must("start", "box")
	eventually(t, "the first line", func() bool { return e.docker("logs", "box").out == "one\n" })
	a, err := e.client().ContainerAttach(t.Context(), "box", container.AttachOptions{Logs: true, Stream: true, Stdin: true, Stdout: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Conn.SetDeadline(time.Now().Add(kit.patience * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Conn.Write([]byte("o\nthree\n")); err != nil {
		t.Fatal(err)
	}
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, io.Discard, a.Reader); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "one\ntwo\nthree\n" {
		t.Errorf("log and output: %q", got)
	}
	if got := e.must("logs", "box"); got != "one\ntwo\nthree" {
		t.Errorf("the log itself: %q", got)
	}
}

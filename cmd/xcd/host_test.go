package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine/daemon"
)

func TestParseHost(t *testing.T) {
	for _, tc := range []struct {
		in     string
		secure bool
		want   string
	}{
		{"unix:///var/run/docker.sock", false, "unix:///var/run/docker.sock"},
		{"tcp://", false, "tcp://127.0.0.1:2375"},
		{"tcp://", true, "tcp://127.0.0.1:2376"},
		{"tcp://127.0.0.1", true, "tcp://127.0.0.1:2376"},
		{"tcp://:4243", true, "tcp://:4243"},
		{"tcp://host.example:1", true, "tcp://host.example:1"},
		{"tcp://[::1]", true, "tcp://[::1]:2376"},
		{"tcp://[::1]:5", true, "tcp://[::1]:5"},
		{"tcp://10.0.0.1:", true, "tcp://10.0.0.1:2376"},
		{"fd://", false, "fd://"},
		{"fd://*", false, "fd://"},
		{"fd://3", false, "fd://3"},
		{"fd://docker.socket", false, "fd://docker.socket"},
	} {
		h, err := parseHost(tc.in, tc.secure)
		if err != nil || h.String() != tc.want {
			t.Errorf("%s: %s %v, want %s", tc.in, h, err, tc.want)
		}
	}
	for in, want := range map[string]string{
		"unix://run.sock": "must be absolute", "unix://": "must be absolute", "/run/docker.sock": "served are", "": "served are",
		"npipe:////./pipe/docker": "served are", "http://127.0.0.1": "served are", "tcp://a:b:c": "too many colons", "tcp://[::1": "missing ']'",
	} {
		if h, err := parseHost(in, true); err == nil || !isUsage(err) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "-H "+in+":") {
			t.Errorf("%q: %s %v, want %q", in, h, err, want)
		}
	}
}

func TestMayServe(t *testing.T) {
	tcp := func(s string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	tls, insecure := daemon.Config{TLSVerify: true}, daemon.Config{InsecureTCP: true}
	for _, tc := range []struct {
		addr net.Addr
		cfg  daemon.Config
		want string
	}{
		{&net.UnixAddr{Name: "/run/docker.sock", Net: "unix"}, daemon.Config{}, ""},
		{tcp("0.0.0.0:2376"), tls, ""},
		{tcp("[::]:2376"), tls, ""},
		{tcp("127.0.0.1:2375"), insecure, ""},
		{tcp("[::1]:2375"), insecure, ""},
		{tcp("127.0.0.1:2375"), daemon.Config{}, "--tlsverify"},
		{tcp(":2375"), insecure, "loopback"},
		{tcp("0.0.0.0:2375"), insecure, "loopback"},
		{tcp("[::]:2375"), insecure, "loopback"},
		{tcp("192.0.2.1:2375"), insecure, "loopback"},
	} {
		err := mayServe(tc.addr, tc.cfg)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", tc.addr, err, tc.want)
		}
	}
}

func TestServerTLSNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.pem")
	if err := os.WriteFile(junk, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := serverTLS(daemon.Config{TLSCACert: "x", TLSCert: "x", TLSKey: "x"}); c != nil || err != nil {
		t.Errorf("not asked for: %v %v", c, err)
	}
	missing := filepath.Join(dir, "none.pem")
	for _, tc := range []struct {
		cfg  daemon.Config
		want []string
	}{
		{daemon.Config{}, []string{"--tlscacert"}},
		{daemon.Config{TLSCACert: junk}, []string{"--tlscert"}},
		{daemon.Config{TLSCACert: junk, TLSCert: junk}, []string{"--tlskey"}},
		{daemon.Config{TLSCACert: missing, TLSCert: junk, TLSKey: junk}, []string{"--tlscacert", missing}},
		{daemon.Config{TLSCACert: junk, TLSCert: junk, TLSKey: junk}, []string{"--tlscacert", junk, "no certificate"}},
	} {
		tc.cfg.TLSVerify = true
		_, err := serverTLS(tc.cfg)
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v, want %q", tc.cfg, err, want)
			}
		}
	}
}

// Sockets that are passed to another process are none of ours; what nobody took, and the variables, are not passed on.
func TestPassedSockets(t *testing.T) {
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getppid()))
	s, err := passedSockets()
	if err != nil || len(s.files) != 0 {
		t.Errorf("for another process: %d sockets, %v", len(s.files), err)
	}
	if v, ok := os.LookupEnv("LISTEN_FDS"); ok {
		t.Errorf("LISTEN_FDS=%s is passed on", v)
	}
	if _, err := s.take(""); err == nil || !strings.Contains(err.Error(), "no socket was passed") {
		t.Errorf("none to take: %v", err)
	}
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	t.Setenv("LISTEN_FDS", "many")
	if _, err := passedSockets(); err == nil || !strings.Contains(err.Error(), "LISTEN_FDS=many") {
		t.Errorf("a wrong number: %v", err)
	}
}

func TestTakePassedSockets(t *testing.T) {
	file := func() (*os.File, net.Addr) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		return f, l.Addr()
	}
	a, addrA := file()
	b, addrB := file()
	c, addrC := file()
	no, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	s := &sockets{files: []*os.File{a, b, c, no}, names: []string{"first", "second", "", "null"}}
	defer s.close()
	takes := func(which string, want ...net.Addr) {
		t.Helper()
		got, err := s.take(which)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %d listeners, %v", which, len(got), err)
		}
		for i, l := range got {
			if l.Addr().String() != want[i].String() {
				t.Errorf("%q: %s, want %s", which, l.Addr(), want[i])
			}
			l.Close()
		}
	}
	takes("second", addrB)
	takes("3", addrA)
	if _, err := s.take("second"); err == nil || !strings.Contains(err.Error(), `"second"`) {
		t.Errorf("taken twice: %v", err)
	}
	if got, err := s.take("null"); err == nil || len(got) != 0 {
		t.Errorf("no socket: %v", err)
	}
	got, err := s.take("")
	if err == nil || len(got) != 1 || got[0].Addr().String() != addrC.String() {
		t.Errorf("all that are left: %v %v", got, err)
	}
	closeAll(got)
}

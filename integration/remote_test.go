package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for a test.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue writes NAME.pem and NAME-key.pem.
func (a *authority) issue(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + "-key.pem": {Type: "EC PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(a.path(file), pem.EncodeToMemory(&block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return made, key
}

func (a *authority) path(file string) string { return filepath.Join(a.dir, file) }

func (a *authority) server() {
	a.issue("server", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
}

func (a *authority) client() {
	a.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// files are docker's flags for a client of an authority.
func (a *authority) files(server *authority) []string {
	return []string{"--tlscacert", server.path("ca.pem"), "--tlscert", a.path("client.pem"), "--tlskey", a.path("client-key.pem")}
}

// TestMutualTLS serves TCP beside the socket: to clients that the authority knows, by flags and by a context, with all that
// streams; and to nobody else.
func TestMutualTLS(t *testing.T) {
	own, foreign := newAuthority(t), newAuthority(t)
	own.server()
	own.client()
	foreign.client()
	addr := "tcp://127.0.0.1:" + freePort(t)
	e := start(t, func(e *engine) {
		e.flags = []string{"-H", addr, "--tlsverify", "--tlscacert", own.path("ca.pem"), "--tlscert", own.path("server.pem"), "--tlskey", own.path("server-key.pem")}
	})
	remote := func(args ...string) []string {
		return append(append([]string{"--tlsverify", "-H", addr}, own.files(own)...), args...)
	}
	if got := e.feed("by TLS", remote("run", "-i", "--rm", "testbox", "cat")...); got.code != 0 || got.out != "by TLS" {
		t.Errorf("cat over TLS: %+v", got)
	}
	e.fails(3, "", remote("run", "--rm", "testbox", "sh", "-c", "exit 3")...)
	e.must(remote("run", "-d", "--name", "box", "testbox", "sleep", "1000")...)
	if got := e.must(remote("exec", "box", "echo", "from an exec")...); got != "from an exec" {
		t.Errorf("exec over TLS: %q", got)
	}

	e.must("context", "create", "xc-tls", "--docker", "host="+addr+",ca="+own.path("ca.pem")+",cert="+own.path("client.pem")+",key="+own.path("client-key.pem"))
	defer e.must("context", "rm", "-f", "xc-tls")
	if got := e.must("--context", "xc-tls", "ps", "--format", "{{.Names}}"); got != "box" {
		t.Errorf("ps by a context: %q", got)
	}

	for name, args := range map[string][]string{
		"a certificate of another CA": append([]string{"--tlsverify", "-H", addr}, foreign.files(own)...),
		"no certificate":              {"--tls", "--tlscacert", own.path("ca.pem"), "--tlscert", own.path("none.pem"), "--tlskey", own.path("none.pem"), "-H", addr},
		"no TLS":                      {"-H", addr},
	} {
		if got := e.docker(append(args, "ps", "--format", "{{.Names}}")...); got.code == 0 || strings.Contains(got.out, "box") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"TCP without TLS":             {[]string{"-H", "tcp://127.0.0.1:" + freePort(t)}, "--tlsverify"},
		"without TLS to the network":  {[]string{"-H", "tcp://0.0.0.0:" + freePort(t), "--insecure-tcp"}, "loopback"},
		"without a key":               {[]string{"-H", addr, "--tlsverify", "--tlscacert", own.path("ca.pem"), "--tlscert", own.path("server.pem")}, "--tlskey"},
		"a key of another":            {[]string{"-H", addr, "--tlsverify", "--tlscacert", own.path("ca.pem"), "--tlscert", own.path("server.pem"), "--tlskey", own.path("client-key.pem")}, "server.pem"},
		"sockets that nobody passed":  {[]string{"-H", "fd://"}, "no socket was passed"},
		"a port that is in use by us": {append([]string{"-H", addr}, e.flags[2:]...), "address already in use"},
	} {
		args := append([]string{"--state-dir", filepath.Join(e.dir, "s2"), "--socket", filepath.Join(e.dir, "x2.sock")}, tc.args...)
		if said := e.beside(args...); !strings.Contains(said, tc.want) {
			t.Errorf("%s: %q is not in: %s", name, tc.want, said)
		}
	}
}

// TestPassedSocket gives the daemon sockets that this process opened, as a service manager does, and finds them open when the
// daemon has gone.
func TestPassedSocket(t *testing.T) {
	dir := t.TempDir()
	unix, err := net.Listen("unix", filepath.Join(dir, "passed.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	var files []*os.File
	for _, l := range []net.Listener{unix, tcp} {
		f, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	e := start(t, func(e *engine) {
		e.flags = []string{"-H", "fd://", "--insecure-tcp"}
		e.prepare = func(cmd *exec.Cmd) {
			// The variables name the process, which is known after the fork alone.
			cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`}, cmd.Args...)
			cmd.Path, cmd.ExtraFiles = "/bin/sh", files
			cmd.Env = append(cmd.Env, "LISTEN_FDS=2")
		}
	})
	hosts := []string{"unix://" + filepath.Join(dir, "passed.sock"), "tcp://" + tcp.Addr().String()}
	for _, h := range hosts {
		if got := e.must("-H", h, "run", "--rm", "testbox", "echo", "passed"); got != "passed" {
			t.Errorf("%s: %q", h, got)
		}
	}
	if got := e.docker("-H", hosts[1], "info"); !strings.Contains(got.out+got.err, "without TLS") {
		t.Errorf("info does not warn of TCP without TLS:\n%s%s", got.out, got.err)
	}
	env := e.must("run", "--rm", "testbox", "env")
	if strings.Contains(env, "LISTEN_") {
		t.Errorf("a container was told of the sockets:\n%s", env)
	}
	if _, err := os.Lstat(filepath.Join(dir, "passed.sock")); err != nil {
		t.Errorf("a passed socket was taken away: %v", err)
	}
}

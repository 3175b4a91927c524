package integration

import (
	"bytes"
	"encoding/base64"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// webProxy is an HTTP proxy that wants a password and leads every name to one registry.
type webProxy struct {
	registry  *url.URL
	noTunnels bool // CONNECT is refused, as by proxies that allow it for port 443 alone

	mu   sync.Mutex
	seen map[string]int // what was asked for, by method and host
}

const proxyPassword = "fuchsschwanz"

// newWebProxy starts one and returns its address with the password in it.
func newWebProxy(t *testing.T, p *webProxy) string {
	t.Helper()
	p.seen = map[string]int{}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return "http://user:" + proxyPassword + "@" + strings.TrimPrefix(s.URL, "http://")
}

func (p *webProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("user:"+proxyPassword)) {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	p.mu.Lock()
	p.seen[r.Method+" "+r.Host]++
	p.mu.Unlock()
	switch {
	case r.Method != http.MethodConnect:
		forward := httputil.NewSingleHostReverseProxy(p.registry)
		forward.ErrorLog = log.New(io.Discard, "", 0)
		forward.ServeHTTP(w, r)
	case p.noTunnels:
		w.WriteHeader(http.StatusForbidden)
	default:
		p.tunnel(w)
	}
}

func (p *webProxy) tunnel(w http.ResponseWriter) {
	there, err := net.Dial("tcp", p.registry.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	if _, err := io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() {
		io.Copy(there, buffered) //nolint:errcheck // the other way ends it
		there.Close()
	}()
	io.Copy(here, there) //nolint:errcheck // either side may go
}

// asked counts the requests of a method for hosts with a prefix.
func (p *webProxy) asked(method, host string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for what, times := range p.seen {
		if strings.HasPrefix(what, method+" "+host) {
			n += times
		}
	}
	return n
}

func TestRegistriesBehindAProxy(t *testing.T) {
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	for name, tc := range map[string]struct {
		server    func(http.Handler) *httptest.Server
		noTunnels bool
		config    bool // by the daemon's configuration in place of the environment
		tunnelled bool
	}{
		"plain":                 {server: httptest.NewServer},
		"plain without tunnels": {server: httptest.NewServer, noTunnels: true},
		"TLS":                   {server: httptest.NewTLSServer, tunnelled: true},
		"TLS, configured":       {server: httptest.NewTLSServer, config: true, tunnelled: true},
		"plain, configured":     {server: httptest.NewServer, noTunnels: true, config: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.server(handler)
			defer s.Close()
			at, err := url.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			p := &webProxy{registry: at, noTunnels: tc.noTunnels}
			via := newWebProxy(t, p)
			e := start(t, func(e *engine) {
				e.flags = append(e.flags, "--insecure-registry", "registry.invalid:5000")
				if tc.config {
					e.flags = append(e.flags, "--http-proxy", via, "--https-proxy", via)
				}
			})
			if !tc.config {
				e.kill(syscall.SIGTERM)
				e.boot("HTTP_PROXY="+via, "HTTPS_PROXY="+via)
			}
			throughProxy(t, e, p, tc.tunnelled)
			e.hides(proxyPassword)
		})
	}
}

func throughProxy(t *testing.T, e *engine, p *webProxy, tunnelled bool) {
	ref := "registry.invalid:5000/some/box:1"
	id := e.must("image", "inspect", "-f", "{{.Id}}", "testbox")
	e.must("tag", "testbox", ref)
	e.must("push", ref)
	e.must("rmi", ref)
	e.must("pull", ref)
	if got := e.must("image", "inspect", "-f", "{{.Id}}", ref); got != id {
		t.Errorf("the image came back as %s, was %s", got, id)
	}
	if plain := p.asked("GET", "registry.invalid"); (plain == 0) != tunnelled {
		t.Errorf("%d plain requests: %v", plain, p.seen)
	}
	if p.asked("CONNECT", "registry.invalid") == 0 {
		t.Errorf("TLS was not tried: %v", p.seen)
	}
	e.fails(1, "", "pull", "registry.invalid:5000/some/none")
}

// hides fails when a word is in what the daemon tells of itself or in its log.
func (e *engine) hides(word string) {
	e.t.Helper()
	text, err := os.ReadFile(filepath.Join(e.dir, "log"))
	if err != nil {
		e.t.Fatal(err)
	}
	for what, told := range map[string][]byte{"info": []byte(e.must("info") + e.must("info", "-f", "{{json .}}")), "the log": text} {
		if bytes.Contains(told, []byte(word)) {
			e.t.Errorf("%s shows %s", what, word)
		}
	}
}

// What the configuration excepts is reached directly, and a proxy that does not let in is told of without its password.
func TestRegistriesPastAProxy(t *testing.T) {
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	s.Listener = listener
	s.Start()
	defer s.Close()
	host := ownAddress(t)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ref := net.JoinHostPort(host, port) + "/some/box:1"
	p := &webProxy{registry: &url.URL{Scheme: "http", Host: "127.0.0.1:" + port}}
	via := newWebProxy(t, p)
	insecure := []string{"--insecure-registry", net.JoinHostPort(host, port)}
	e := start(t, func(e *engine) {
		e.flags = slices.Concat(insecure, []string{"--http-proxy", via, "--https-proxy", via})
	})
	e.must("tag", "testbox", ref)
	e.must("push", ref)
	if p.asked("GET", host) == 0 {
		t.Errorf("the proxy was passed by: %v", p.seen)
	}
	e.kill(syscall.SIGTERM)
	e.flags = append(e.flags, "--no-proxy", "example.org,"+host)
	e.boot()
	before := p.asked("GET", host) + p.asked("CONNECT", host)
	e.must("rmi", ref)
	e.must("pull", ref)
	if now := p.asked("GET", host) + p.asked("CONNECT", host); now != before {
		t.Errorf("%d requests went by the proxy", now-before)
	}
	e.hides(proxyPassword)
	e.kill(syscall.SIGTERM)
	e.flags = slices.Concat(insecure, []string{"--http-proxy", via + "/x", "--https-proxy", strings.Replace(via, "user:", "other:", 1)})
	e.boot()
	r := e.docker("pull", "registry.invalid/some/box")
	if r.code == 0 || !strings.Contains(r.err, "Proxy Authentication Required") || strings.Contains(r.err, proxyPassword) {
		t.Errorf("a proxy that does not let in: %+v", r)
	}
	e.hides(proxyPassword)
}

// ownAddress is an address of this host that is not the loopback's, which never goes by a proxy.
func ownAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	t.Skip("this host has no address but the loopback's")
	return ""
}

package registry

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
)

// proxy is an HTTP proxy to which every host is the one registry. It wants a password.
type proxy struct {
	registry *url.URL
	served   atomic.Int32
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpzZWNyZXQ=" {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	p.served.Add(1)
	if r.Method == http.MethodConnect {
		p.tunnel(w)
		return
	}
	httputil.NewSingleHostReverseProxy(p.registry).ServeHTTP(w, r)
}

func (p *proxy) tunnel(w http.ResponseWriter) {
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
		io.Copy(there, bufio.NewReader(buffered)) //nolint:errcheck // the other way ends it
		there.Close()
	}()
	io.Copy(here, there) //nolint:errcheck // either side may go
}

func TestRegistriesBehindAProxy(t *testing.T) {
	handler := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	for name, tc := range map[string]struct {
		server func(http.Handler) *httptest.Server
		host   string // the name that only the proxy can reach
	}{
		"plain": {httptest.NewServer, "registry.invalid:5000"},
		"TLS":   {httptest.NewTLSServer, "example.com:5000"}, // httptest's certificate is for this name
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.server(handler)
			defer s.Close()
			p := &proxy{registry: address(t, s.URL)}
			front := httptest.NewServer(p)
			defer front.Close()
			via := address(t, front.URL)
			via.User = url.UserPassword("user", "secret")
			c := newClient(t, func(cfg *Config) {
				cfg.Proxy, cfg.CertsDir = http.ProxyURL(via), t.TempDir()
				if s.Certificate() == nil {
					cfg.Insecure = []string{tc.host}
					return
				}
				dir := filepath.Join(cfg.CertsDir, tc.host)
				if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "ca.crt"), pemOf(s), 0o600)); err != nil {
					t.Fatal(err)
				}
			})
			r := engine.Remote{Repository: tc.host + "/team/app"}
			img := imagetest.New(nil, imagetest.Tar(imagetest.File("a", "one")))
			put(t, c, r, img.Blobs[0])
			put(t, c, r, img.Config)
			if err := c.PutManifest(t.Context(), r, "v1", imageformat.OCIManifest, img.Manifest); err != nil {
				t.Fatal(err)
			}
			if m, err := c.Manifest(t.Context(), r, "v1"); err != nil || m.Digest != img.Digest().String() {
				t.Errorf("manifest: %v", err)
			}
			if p.served.Load() == 0 {
				t.Error("the proxy was passed by")
			}
		})
	}
}

func TestAProxysRefusalIsTold(t *testing.T) {
	front := httptest.NewServer(&proxy{})
	defer front.Close()
	c := newClient(t, func(cfg *Config) { cfg.Proxy = http.ProxyURL(address(t, front.URL)) })
	_, err := c.Manifest(t.Context(), engine.Remote{Repository: "registry.invalid/app"}, "v1")
	if err == nil || engine.KindOf(err) == engine.NotFound || !strings.Contains(err.Error(), "Proxy Authentication Required") {
		t.Errorf("got %v", err)
	}
}

package dockerapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/translate"
)

// route adds a route to a server, as the table does.
func route(s *Server, rt httpx.Route) {
	s.mux.Methods(rt.Method).Path("/v{version:[0-9.]+}" + rt.Pattern).Handler(s.serve(rt))
	s.mux.Methods(rt.Method).Path(rt.Pattern).Handler(s.serve(rt))
}

func newServer(log io.Writer) *Server {
	s := New(Config{
		Host: translate.Host{OSType: "freebsd", Version: "0.1"}, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	route(s, httpx.Route{Method: http.MethodGet, Pattern: "/test", Handler: func(_ context.Context, w http.ResponseWriter, r *httpx.Request) error {
		return httpx.WriteJSON(w, http.StatusOK, r.Version.String())
	}})
	route(s, httpx.Route{Method: http.MethodGet, Pattern: "/new", Since: translate.Version{Major: 1, Minor: 40}, Handler: func(_ context.Context, w http.ResponseWriter, _ *httpx.Request) error {
		return httpx.WriteStatus(w, http.StatusNoContent)
	}})
	route(s, httpx.Route{Method: http.MethodGet, Pattern: "/panic", Handler: func(context.Context, http.ResponseWriter, *httpx.Request) error {
		panic("oops")
	}})
	route(s, httpx.Route{Method: http.MethodGet, Pattern: "/broken", Handler: func(_ context.Context, w http.ResponseWriter, _ *httpx.Request) error {
		if _, err := io.WriteString(w, "half"); err != nil {
			return err
		}
		return errors.New("the disk is gone")
	}})
	return s
}

func get(s http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// TestVersions holds what a real dockerd 28.5.2 answered to each.
func TestVersions(t *testing.T) {
	s := newServer(io.Discard)
	const old = " is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n"
	for _, c := range []struct {
		method, path string
		status       int
		kind, want   string
	}{
		{"GET", "/test", 200, "application/json", "\"1.51\"\n"},
		{"GET", "/v1.24/test", 200, "application/json", "\"1.24\"\n"},
		{"GET", "/v1.51/test", 200, "application/json", "\"1.51\"\n"},
		{"GET", "/v1.51.0/test", 200, "application/json", "\"1.51\"\n"},
		{"GET", "/v1.99/test", 400, "application/json", "{\"message\":\"client version 1.99 is too new. Maximum supported API version is 1.51\"}\n"},
		{"GET", "/v1.51.1/test", 400, "application/json", "{\"message\":\"client version 1.51.1 is too new. Maximum supported API version is 1.51\"}\n"},
		{"GET", "/v1.23/test", 400, "text/plain; charset=utf-8", "client version 1.23" + old},
		{"GET", "/v./test", 400, "text/plain; charset=utf-8", "client version ." + old},
		{"GET", "/v1.39/new", 400, "application/json", "{\"message\":\"GET /new requires minimum API version 1.40, but the Docker daemon API version is 1.39\"}\n"},
		{"GET", "/v1.40/new", 204, "", ""},
		{"GET", "/nope", 404, "application/json", "{\"message\":\"page not found\"}\n"},
		{"GET", "/v1.99/nope", 404, "application/json", "{\"message\":\"page not found\"}\n"},
		{"GET", "/vabc/test", 404, "application/json", "{\"message\":\"page not found\"}\n"},
		{"GET", "/v1.51/", 404, "application/json", "{\"message\":\"page not found\"}\n"},
		{"PUT", "/test", 404, "application/json", "{\"message\":\"page not found\"}\n"},
		{"HEAD", "/test", 404, "application/json", ""},
		{"GET", "/v1.51//test", 301, "", ""},
		{"GET", "/test?a=%zz", 400, "application/json", "{\"message\":\"invalid URL escape \\\"%zz\\\"\"}\n"},
		{"GET", "/panic", 500, "application/json", "{\"message\":\"internal error of the daemon; its log says more\"}\n"},
	} {
		w := get(s, c.method, c.path)
		body := w.Body.String()
		if c.method == "HEAD" {
			body = "" // net/http takes it away on the wire
		}
		if w.Code != c.status || w.Header().Get("Content-Type") != c.kind || body != c.want {
			t.Errorf("%s %s: %d %q %q", c.method, c.path, w.Code, w.Header().Get("Content-Type"), body)
		}
		if c.status == 301 {
			continue // mux's own answer, as dockerd's
		}
		for name, want := range map[string]string{"Api-Version": "1.51", "Docker-Experimental": "false", "Ostype": "freebsd", "Server": "xc/0.1 (freebsd)"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: %s is %q", c.method, c.path, name, got)
			}
		}
	}
}

func TestBrokenAnswerIsCut(t *testing.T) {
	srv := httptest.NewServer(newServer(io.Discard))
	defer srv.Close()
	resp, err := http.Get(srv.URL + "/broken")
	if err != nil {
		return // cut before anything left
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q was taken for everything", body)
	}
}

// TestLogHasNoSecrets: queries, headers and bodies stay out of it.
func TestLogHasNoSecrets(t *testing.T) {
	var log bytes.Buffer
	s := newServer(&log)
	r := httptest.NewRequest("GET", "/test?buildargs=hunter2", strings.NewReader("hunter2"))
	r.Header.Set("X-Registry-Auth", "hunter2")
	s.ServeHTTP(httptest.NewRecorder(), r)
	if !strings.Contains(log.String(), "path=/test") || strings.Contains(log.String(), "hunter2") {
		t.Error(log.String())
	}
}

func TestOrigins(t *testing.T) {
	tcp := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2375}
	unix := &net.UnixAddr{Name: "/run/docker.sock", Net: "unix"}
	for _, c := range []struct {
		name         string
		local        net.Addr
		host, origin string
		tls          bool
		allowed      bool
	}{
		{"socket, any host", unix, "docker", "", false, true},
		{"socket, a page behind a proxy", unix, "portainer.example", "https://portainer.example", false, true},
		{"loopback address", tcp, "127.0.0.1:2375", "", false, true},
		{"IPv6", tcp, "[::1]:2375", "", false, true},
		{"IPv6 without port", tcp, "[::1]", "", false, true},
		{"localhost", tcp, "localhost:2375", "", false, true},
		{"rebound name", tcp, "evil.example:2375", "", false, false},
		{"rebound name with TLS", tcp, "docker.example:2376", "", true, true},
		{"a page", tcp, "127.0.0.1:2375", "https://evil.example", false, false},
		{"a page and TLS", tcp, "docker.example:2376", "https://evil.example", true, false},
		{"our own page", tcp, "127.0.0.1:2375", "http://127.0.0.1:2375", false, true},
		{"no origin at all", tcp, "127.0.0.1:2375", "null", false, false},
	} {
		r := httptest.NewRequest("GET", "/test", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, c.local))
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		w := httptest.NewRecorder()
		newServer(io.Discard).ServeHTTP(w, r)
		if (w.Code == 200) != c.allowed || !c.allowed && w.Code != 403 {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
}

// pipeListener hands out connections that live in memory, so that time can be the test's own.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (l *pipeListener) dial() net.Conn {
	ours, theirs := net.Pipe()
	l.conns <- theirs
	return ours
}

// TestShutdown: streams end at once, other requests may end by themselves, and those that do not are cancelled after a while.
func TestShutdown(t *testing.T) {
	for name, c := range map[string]struct {
		stream bool
		lasts  time.Duration // 0: until its context ends
		want   time.Duration
	}{
		"nothing":       {lasts: -1},
		"stream":        {stream: true, want: 0},
		"short request": {lasts: 3 * time.Second, want: 3 * time.Second},
		"endless":       {want: grace},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(io.Discard)
				begun := make(chan struct{})
				route(s, httpx.Route{Method: http.MethodGet, Pattern: "/slow", Stream: c.stream, Handler: func(ctx context.Context, w http.ResponseWriter, _ *httpx.Request) error {
					close(begun)
					if c.lasts > 0 {
						time.Sleep(c.lasts)
					} else {
						<-ctx.Done()
					}
					return httpx.WriteStatus(w, http.StatusNoContent)
				}})
				l := newPipes()
				ctx, stop := context.WithCancel(t.Context())
				served := make(chan error, 1)
				go func() { served <- s.Serve(ctx, l) }()
				if c.lasts >= 0 {
					conn := l.dial()
					defer conn.Close()
					go io.Copy(io.Discard, conn)
					if _, err := io.WriteString(conn, "GET /slow HTTP/1.1\r\nHost: d\r\n\r\n"); err != nil {
						t.Fatal(err)
					}
					<-begun
				}
				told := time.Now()
				stop()
				if err := <-served; err != nil {
					t.Error(err)
				}
				// net/http looks again for idle connections in growing steps of up to half a second.
				if took := time.Since(told); took < c.want || took > c.want+time.Second {
					t.Errorf("took %v, want about %v", took, c.want)
				}
			})
		})
	}
}

func TestServeTellsThatAcceptingFailed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := newServer(io.Discard).Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// BenchmarkRoute is the cost of finding a route and answering.
func BenchmarkRoute(b *testing.B) {
	s := New(Config{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	route(s, httpx.Route{Method: http.MethodGet, Pattern: "/zzz", Handler: func(_ context.Context, w http.ResponseWriter, _ *httpx.Request) error {
		return httpx.WriteStatus(w, http.StatusNoContent)
	}})
	r := httptest.NewRequest("GET", "/v1.51/zzz", nil)
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
}

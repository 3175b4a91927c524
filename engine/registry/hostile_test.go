package registry

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

func pemOf(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// hostile serves /v2/ politely and everything else by f.
func hostile(t *testing.T, f http.HandlerFunc) engine.Remote {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		f(w, r)
	}))
	t.Cleanup(s.Close)
	return engine.Remote{Repository: address(t, s.URL).Host + "/x"}
}

func TestHostileManifests(t *testing.T) {
	body := `{"schemaVersion":2}`
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		ref   string
		want  string
	}{
		"another document than asked for": {
			func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) },
			digest.FromString("other").String(), "manifest verification failed",
		},
		"a digest header that lies": {
			func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					w.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
				w.Header().Set("Docker-Content-Digest", digest.FromString("other").String())
				io.WriteString(w, body)
			},
			"v1", "manifest verification failed",
		},
		"an endless manifest": {
			func(w http.ResponseWriter, r *http.Request) {
				junk := []byte(strings.Repeat(" ", 1<<16))
				for r.Context().Err() == nil && r.Method != http.MethodHead {
					if _, err := w.Write(junk); err != nil {
						return
					}
				}
			},
			"v1", "larger than",
		},
		"a redirect loop": {
			func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
			},
			"v1", "stopped after 10 redirects",
		},
		"a page that is no registry's": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusTeapot)
				io.WriteString(w, "<html>"+strings.Repeat("x", 1<<20))
			},
			"v1", "418",
		},
		"truncated": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "1000")
				if r.Method != http.MethodHead {
					io.WriteString(w, body)
				}
			},
			"v1", "unexpected EOF",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, nil)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			m, err := c.Resolve(ctx, hostile(t, test.serve), test.ref)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %+v, %v", m, err)
			}
		})
	}
}

// A token server that lies gets no more than the credentials that it asked for, and ends in a clear error.
func TestTokenServersThatLie(t *testing.T) {
	for name, test := range map[string]struct {
		realm string // empty: the server's own /token
		serve http.HandlerFunc
		want  string
	}{
		"no token":          {"", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }, "token"},
		"no JSON":           {"", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, "invalid character"},
		"a token of no use": {"", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"token":"refused"}`) }, "requested access to the resource is denied"},
		"an endless answer": {"", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}, "byte limit"},
		"a redirect loop": {"", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/token", http.StatusTemporaryRedirect)
		}, "stopped after 10 redirects"},
		"a limit": {"", func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "no more today")
		}, "no more today"},
		"a file":       {"file:///etc/passwd", nil, `realm scheme "file" not allowed`},
		"no address":   {"http://", nil, "no Host in request URL"},
		"no realm":     {"-", nil, "realm"},
		"junk as addr": {"http://[::1", nil, "missing ']' in host"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					test.serve(w, r)
					return
				}
				realm := fmt.Sprintf("realm=%q,", "http://"+r.Host+"/token")
				if test.realm == "-" {
					realm = ""
				} else if test.realm != "" {
					realm = fmt.Sprintf("realm=%q,", test.realm)
				}
				w.Header().Set("WWW-Authenticate", "Bearer "+realm+`service="s"`)
				refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			}))
			t.Cleanup(s.Close)
			r := engine.Remote{Repository: address(t, s.URL).Host + "/x", Auth: engine.Credentials{Username: "ada", Password: "s3cret"}}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			_, err := newClient(t, nil).Resolve(ctx, r, "v1")
			if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "YWRhOnMzY3JldA") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

// A registry behind TLS cannot have the password sent in plain text by naming a token server without it.
func TestATokenServerWithoutTLSGetsNoPassword(t *testing.T) {
	asked := make(chan string, 100)
	plain := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Header.Get("Authorization") }))
	t.Cleanup(plain.Close)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="s"`, plain.URL))
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(s.Close)
	certs, host := t.TempDir(), address(t, s.URL).Host
	if err := os.MkdirAll(filepath.Join(certs, host), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(certs, host, "ca.crt"), string(pemOf(s)))
	c := newClient(t, func(cfg *Config) { cfg.CertsDir = certs })
	c.insecure = insecureRules{} // loopback is insecure by rule, which this test must not have
	r := engine.Remote{Repository: host + "/x", Auth: engine.Credentials{Username: "ada", Password: "s3cret"}}
	if _, err := c.Resolve(t.Context(), r, "v1"); err == nil || !strings.Contains(err.Error(), "not allowed for a secure registry") {
		t.Errorf("got %v", err)
	}
	if len(asked) != 0 {
		t.Errorf("the plain server was asked, with %q", <-asked)
	}
}

func TestWrongRangesAreRefused(t *testing.T) {
	for _, header := range []string{"", "bytes 0-9/10", "bytes x-9/10", "items 5-9/10"} {
		r := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", header)
			w.WriteHeader(http.StatusPartialContent)
		})
		if _, err := newClient(t, nil).Blob(t.Context(), r, digest.FromString("x").String(), -1, 5); engine.KindOf(err) != engine.Invalid {
			t.Errorf("%q: %v", header, err)
		}
	}
}

func TestTemporaryFailuresAreTriedAgain(t *testing.T) {
	var n atomic.Int32
	body := `{"schemaVersion":2}`
	r := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) {
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "slow down")
		case 3:
			panic(http.ErrAbortHandler)
		default:
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json; charset=utf-8")
			io.WriteString(w, body)
		}
	})
	start := time.Now()
	m, err := newClient(t, nil).Manifest(t.Context(), r, "v1")
	if err != nil || m.MediaType != imageformat.OCIManifest {
		t.Fatalf("%+v, %v", m, err)
	}
	if took := time.Since(start); took < time.Second {
		t.Errorf("Retry-After was not honoured: %v", took)
	}
}

func TestALimitOfHoursIsToldAtOnce(t *testing.T) {
	for _, after := range []string{"", "3600"} {
		var n atomic.Int32
		r := hostile(t, func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			w.Header().Set("Retry-After", after)
			refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
		})
		_, err := newClient(t, nil).Manifest(t.Context(), r, "v1")
		if engine.KindOf(err) != engine.Unavailable || !strings.Contains(err.Error(), "toomanyrequests: You have reached your pull rate limit.") || n.Load() != 1 {
			t.Errorf("after %d tries: %v", n.Load(), err)
		}
	}
}

func TestSilenceEnds(t *testing.T) {
	r := hostile(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	c := newClient(t, func(cfg *Config) { cfg.IdleTimeout = 100 * time.Millisecond })
	b, err := c.Blob(t.Context(), r, digest.FromString("x").String(), -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	start := time.Now()
	if _, err := io.ReadAll(b); !errors.Is(err, errIdle) || time.Since(start) > 3*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

func TestCancelIsNotTriedAgain(t *testing.T) {
	r := hostile(t, func(http.ResponseWriter, *http.Request) { time.Sleep(50 * time.Millisecond) })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := newClient(t, nil).Manifest(ctx, r, "v1"); engine.KindOf(err) != engine.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestTagsInPages(t *testing.T) {
	r := hostile(t, func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if page < 2 {
			w.Header().Set("Link", fmt.Sprintf(`</v2/x/tags/list?page=%d>; rel="next"`, page+1))
		}
		fmt.Fprintf(w, `{"name":"x","tags":["t%d"]}`, page)
	})
	tags, err := newClient(t, nil).Tags(t.Context(), r)
	if diff := cmp.Diff([]string{"t0", "t1", "t2"}, tags); diff != "" || err != nil {
		t.Error(diff, err)
	}
	endless := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `</v2/x/tags/list?again=1>; rel="next"`)
		io.WriteString(w, `{"tags":[]}`)
	})
	if tags, err := newClient(t, nil).Tags(t.Context(), endless); err != nil || len(tags) != 0 {
		t.Errorf("%d tags, %v", len(tags), err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "99999999999": 24 * time.Hour, "99999999999999999999": 0, "100000": 24 * time.Hour,
		"Tue, 02 Jan 2024 03:04:35 GMT": 30 * time.Second, "Mon, 01 Jan 2024 00:00:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestBackoffGrowsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{log: newClientLog()}
		start, n := time.Now(), 0
		err := c.retry(t.Context(), func() error { n++; return io.ErrUnexpectedEOF })
		if !errors.Is(err, io.ErrUnexpectedEOF) || n != attempts {
			t.Errorf("%d tries, %v", n, err)
		}
		if took := time.Since(start); took < 1500*time.Millisecond || took > 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestRegistriesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	const guide = `{
    "default": "index.docker.io",
    "registries": {
        "index.docker.io": {
            "base_url": "https://index.docker.io",
        },
        "my_azure_cr.azurecr.io": {
            "base_url": "https://my_azure_cr.azurecr.io",
            "basic_auth": { "username": "my,}\"user", "password": "my_token" },
            "note": "kept"
        }
    },
    "also": ["kept",]
}`
	writeFile(t, path, guide)
	f := NewFile(path)
	got, ok, err := f.Lookup("https://my_azure_cr.azurecr.io/v2/")
	if err != nil || !ok || got.Username != `my,}"user` || got.Password != "my_token" {
		t.Fatalf("%v, %v: user %q", ok, err, got.Username)
	}
	if err := f.Save(engine.Credentials{Username: "hub", IdentityToken: "tok", Password: "not kept", ServerAddress: "https://index.docker.io/v1/"}); err != nil {
		t.Fatal(err)
	}
	want := `{
    "also": [
        "kept"
    ],
    "default": "index.docker.io",
    "registries": {
        "index.docker.io": {
            "base_url": "https://index.docker.io",
            "basic_auth": {
                "username": "hub",
                "password": ""
            },
            "identity_token": "tok"
        },
        "my_azure_cr.azurecr.io": {
            "base_url": "https://my_azure_cr.azurecr.io",
            "basic_auth": {
                "username": "my,}\"user",
                "password": "my_token"
            },
            "note": "kept"
        }
    }
}
`
	if diff := cmp.Diff(want, readFile(t, path)); diff != "" {
		t.Error(diff)
	}
	writeFile(t, path, `{"registries": 7}`)
	if _, _, err := f.Lookup("x"); engine.KindOf(err) != engine.Invalid {
		t.Errorf("a broken file: %v", err)
	}
	if strings.Contains(fmt.Sprint(BasicAuth{"u", "secret"}), "secret") {
		t.Error("a password in a text")
	}
}

func FuzzRegistriesFile(f *testing.F) {
	f.Add([]byte(`{"default":"x","registries":{"a":{"base_url":"https://a",},}}`))
	f.Add([]byte(`{"registries":{"a":null}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := parseRegistries(raw)
		if err != nil {
			return
		}
		out, err := r.encode("k", Entry{BaseURL: "https://k"})
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseRegistries(out)
		if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		for name, e := range r.Registries {
			if name != "k" && !cmp.Equal(e, again.Registries[name]) {
				t.Errorf("%s: %+v became %+v", name, e, again.Registries[name])
			}
		}
	})
}

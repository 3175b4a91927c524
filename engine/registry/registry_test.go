package registry

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
)

// newRegistry serves a whole registry from memory; wrap may stand in its way.
func newRegistry(t *testing.T, wrap func(http.Handler) http.Handler) *url.URL {
	t.Helper()
	h := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return address(t, s.URL)
}

func address(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newClient(t *testing.T, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }, IdleTimeout: 5 * time.Second}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func put(t *testing.T, c *Client, r engine.Remote, b []byte) string {
	t.Helper()
	d := digest.FromBytes(b).String()
	if err := c.PutBlob(t.Context(), r, engine.BlobUpload{Digest: d, Size: int64(len(b)), Content: bytes.NewReader(b)}); err != nil {
		t.Fatal(err)
	}
	return d
}

func noise(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func read(t *testing.T, b engine.RemoteBlob) []byte {
	t.Helper()
	defer b.Close()
	all, err := io.ReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRoundTrip(t *testing.T) {
	at := newRegistry(t, nil)
	c := newClient(t, nil)
	r := engine.Remote{Repository: at.Host + "/team/app"}
	img := imagetest.New(nil, imagetest.Tar(imagetest.File("a", "one")))
	put(t, c, r, img.Blobs[0])
	config := put(t, c, r, img.Config)
	if err := c.PutManifest(t.Context(), r, "v1", imageformat.OCIManifest, img.Manifest); err != nil {
		t.Fatal(err)
	}

	if ok, err := c.HasBlob(t.Context(), r, config); !ok || err != nil {
		t.Errorf("HasBlob of what was sent: %v, %v", ok, err)
	}
	if ok, err := c.HasBlob(t.Context(), r, digest.FromString("x").String()); ok || err != nil {
		t.Errorf("HasBlob of what was not: %v, %v", ok, err)
	}
	told, err := c.Resolve(t.Context(), r, "v1")
	if err != nil {
		t.Fatal(err)
	}
	want := engine.RemoteManifest{MediaType: imageformat.OCIManifest, Digest: img.Digest().String(), Size: int64(len(img.Manifest))}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	for _, ref := range []string{"v1", img.Digest().String()} {
		m, err := c.Manifest(t.Context(), r, ref)
		if err != nil || !bytes.Equal(m.Body, img.Manifest) || m.Digest != img.Digest().String() {
			t.Errorf("manifest %s: %v", ref, err)
		}
	}
	tags, err := c.Tags(t.Context(), r)
	if diff := cmp.Diff([]string{"v1"}, tags); diff != "" || err != nil {
		t.Error(diff, err)
	}
	b, err := c.Blob(t.Context(), r, config, int64(len(img.Config)), 10)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, b); b.Offset != 10 || !bytes.Equal(got, img.Config[10:]) || b.Size != int64(len(img.Config)) {
		t.Errorf("blob from 10: offset %d size %d, %d bytes", b.Offset, b.Size, len(got))
	}
	ok, err := c.MountBlob(t.Context(), engine.Remote{Repository: at.Host + "/team/other"}, config, at.Host+"/team/app")
	if err != nil {
		t.Errorf("mount: %v, %v", ok, err)
	}
}

func TestRefusals(t *testing.T) {
	at := newRegistry(t, nil)
	c := newClient(t, nil)
	r := engine.Remote{Repository: at.Host + "/team/app"}
	put(t, c, r, []byte("{}"))
	for name, test := range map[string]struct {
		repo, ref string
		reason    engine.Reason
		args      []string
	}{
		"no repository": {at.Host + "/none", "v1", engine.ReasonNameUnknown, []string{at.Host + "/none"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Resolve(t.Context(), engine.Remote{Repository: test.repo}, test.ref)
			var e *engine.Error
			if !errors.As(err, &e) || e.Kind != engine.NotFound || e.Reason != test.reason {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(test.args, e.Args); diff != "" {
				t.Error(diff)
			}
		})
	}
	if err := c.PutManifest(t.Context(), r, "v1", imageformat.OCIManifest, []byte(`{"schemaVersion":2}`)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Manifest(t.Context(), r, "v2")
	var e *engine.Error
	if !errors.As(err, &e) || e.Reason != engine.ReasonManifestUnknown || e.Kind != engine.NotFound {
		t.Fatalf("unknown tag: %v", err)
	}
	if diff := cmp.Diff([]string{at.Host + "/team/app", "v2"}, e.Args); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(e.Err.Error(), "manifest unknown: ") {
		t.Errorf("words: %q", e.Err)
	}
}

// authServer wants a login of user "ada" with password "s3cret" before it serves, by basic or bearer authentication.
type authServer struct {
	scheme string
	next   http.Handler
	asked  atomic.Int32 // tokens given
	expire atomic.Bool  // the next request's token is called expired once
}

func (a *authServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	good := user == "ada" && password == "s3cret"
	switch {
	case r.URL.Path == "/token":
		a.token(w, r, good)
	case a.scheme == "basic" && good,
		a.scheme == "bearer" && r.Header.Get("Authorization") == "Bearer good" && !a.expire.CompareAndSwap(true, false):
		a.next.ServeHTTP(w, r)
	case a.scheme == "basic":
		w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	default:
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="s",scope="repository:x:pull"`, r.Host))
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	}
}

func (a *authServer) token(w http.ResponseWriter, r *http.Request, good bool) {
	a.asked.Add(1)
	switch {
	case r.Method == http.MethodPost && r.FormValue("refresh_token") == "lasting":
		good = true
	case r.Method == http.MethodPost:
		good = false
	case r.Header.Get("Authorization") == "":
		_ = json.NewEncoder(w).Encode(map[string]string{"token": "anonymous"})
		return
	}
	if !good {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
		return
	}
	answer := map[string]string{"token": "good"}
	if r.FormValue("offline_token") == "true" {
		answer["refresh_token"] = "lasting"
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

func TestAuthentication(t *testing.T) {
	for _, scheme := range []string{"basic", "bearer"} {
		t.Run(scheme, func(t *testing.T) {
			a := &authServer{scheme: scheme}
			at := newRegistry(t, func(next http.Handler) http.Handler { a.next = next; return a })
			c := newClient(t, nil)
			good := engine.Credentials{Username: "ada", Password: "s3cret", ServerAddress: at.Host}
			bad := engine.Credentials{Username: "ada", Password: "wrong", ServerAddress: at.Host}
			r := engine.Remote{Repository: at.Host + "/x", Auth: good}

			token, err := c.Login(t.Context(), good)
			if err != nil || (scheme == "bearer") != (token == "lasting") {
				t.Errorf("login: token %q, %v", token, err)
			}
			if _, err := c.Login(t.Context(), bad); engine.KindOf(err) != engine.Unauthorized || (scheme == "basic") != engine.HasReason(err, engine.ReasonLoginRefused) {
				t.Errorf("wrong login: %v", err)
			}
			body := noise(t, 1000)
			d := put(t, c, r, body)
			a.expire.Store(true) // an upload whose token ends in the middle is sent again
			put(t, c, r, noise(t, 100_000))
			b, err := c.Blob(t.Context(), r, d, -1, 0)
			if err != nil || !bytes.Equal(read(t, b), body) {
				t.Errorf("blob: %v", err)
			}
			if token != "" {
				r.Auth = engine.Credentials{IdentityToken: token}
				if ok, err := c.HasBlob(t.Context(), r, d); !ok || err != nil {
					t.Errorf("by identity token: %v, %v", ok, err)
				}
			}
			r.Auth = engine.Credentials{}
			denied := map[string]engine.Reason{"basic": engine.ReasonNoCredentials, "bearer": engine.ReasonPullDenied}[scheme]
			if _, err := c.Manifest(t.Context(), r, "v1"); !engine.HasReason(err, denied) {
				t.Errorf("anonymous pull: %v", err)
			}
			r.Auth = bad
			if _, err := c.Manifest(t.Context(), r, "v1"); engine.KindOf(err) != engine.Unauthorized {
				t.Errorf("pull with a wrong password: %v", err)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, good), "s3cret") {
				t.Error("the password is in a text")
			}
		})
	}
}

func TestStoredCredentials(t *testing.T) {
	a := &authServer{scheme: "basic"}
	at := newRegistry(t, func(next http.Handler) http.Handler { a.next = next; return a })
	path := filepath.Join(t.TempDir(), "registries.json")
	c := newClient(t, func(cfg *Config) { cfg.CredentialsFile = path })
	r := engine.Remote{Repository: at.Host + "/x"}
	if _, err := c.HasBlob(t.Context(), r, digest.FromString("x").String()); err == nil {
		t.Fatal("served without a login")
	}
	if err := c.Credentials().Save(engine.Credentials{Username: "ada", Password: "s3cret", ServerAddress: at.Host}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := c.HasBlob(t.Context(), r, digest.FromString("x").String()); err != nil {
		t.Errorf("with stored credentials: %v", err)
	}
	if err := c.Credentials().Forget(at.Host); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := c.Credentials().Lookup(at.Host); ok || err != nil {
		t.Errorf("after Forget: %v, %v", ok, err)
	}
}

func TestMirrors(t *testing.T) {
	upstream := newRegistry(t, nil)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	t.Cleanup(broken.Close)
	var asked atomic.Int32
	mirror := newRegistry(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			if r.Header.Get("Authorization") != "" {
				t.Error("the mirror was shown the registry's credentials")
			}
			next.ServeHTTP(w, r)
		})
	})
	path := filepath.Join(t.TempDir(), "registries.json")
	file := fmt.Sprintf(`{"default": "index.docker.io", "registries": {"index.docker.io": {"base_url": %q,}}}`, upstream.String())
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, func(cfg *Config) {
		cfg.CredentialsFile, cfg.Mirrors = path, []string{broken.URL, mirror.String()}
	})
	img := imagetest.New(nil)
	direct := engine.Remote{Repository: mirror.Host + "/library/x"}
	hub := engine.Remote{Repository: "docker.io/library/x", Auth: engine.Credentials{Username: "u", Password: "p"}}
	put(t, c, hub, img.Config) // pushes never go to a mirror
	if asked.Load() != 0 {
		t.Error("a push reached the mirror")
	}
	put(t, c, direct, img.Config)
	if err := c.PutManifest(t.Context(), direct, "latest", imageformat.OCIManifest, img.Manifest); err != nil {
		t.Fatal(err)
	}
	if m, err := c.Manifest(t.Context(), hub, "latest"); err != nil || m.Digest != img.Digest().String() {
		t.Errorf("through the mirror: %v", err)
	}
	// What no mirror has comes from the registry.
	if err := c.PutManifest(t.Context(), hub, "other", imageformat.OCIManifest, img.Manifest); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Manifest(t.Context(), hub, "other"); err != nil {
		t.Errorf("from the registry itself: %v", err)
	}
}

func TestPlainHTTPIsForInsecureRegistries(t *testing.T) {
	c := newClient(t, func(cfg *Config) { cfg.Insecure = []string{"10.0.0.0/8", "plain.example:5000"} })
	for host, want := range map[string]bool{
		"127.0.0.1:5000": true, "localhost": true, "localhost:1": true, "[::1]:5000": true, "10.1.2.3": true,
		"plain.example:5000": true, "plain.example": false, "192.168.1.1:5000": false, "docker.io": false, "x.local": false,
	} {
		if got := c.insecure.match(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
	// A registry that is not listed is asked by TLS alone, though go-containerregistry would try a private address in plain.
	at := newRegistry(t, nil)
	g := &guard{next: http.DefaultTransport, ep: endpoint{base: *at}, idle: time.Second}
	req, _ := http.NewRequest(http.MethodGet, at.String()+"/v2/", nil)
	if _, err := g.RoundTrip(req); !errors.Is(err, errPlainHTTP) {
		t.Errorf("got %v", err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	host := address(t, s.URL).Host
	certs := t.TempDir()
	strict := newClient(t, func(cfg *Config) { cfg.CertsDir = certs })
	strict.insecure = insecureRules{} // loopback is insecure by rule, which this test must not have
	r := engine.Remote{Repository: host + "/x"}
	start := time.Now()
	if _, err := strict.HasBlob(t.Context(), r, digest.FromString("x").String()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	} else if time.Since(start) > 5*time.Second {
		t.Error("a bad certificate was tried again")
	}
	if err := os.MkdirAll(filepath.Join(certs, host), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(certs, host, "ca.crt"), pemOf(s), 0o600); err != nil {
		t.Fatal(err)
	}
	trusting := newClient(t, func(cfg *Config) { cfg.CertsDir = certs })
	trusting.insecure = insecureRules{}
	if _, err := trusting.HasBlob(t.Context(), r, digest.FromString("x").String()); err != nil {
		t.Errorf("with the authority in the certs directory: %v", err)
	}
	if _, err := newClient(t, nil).HasBlob(t.Context(), r, digest.FromString("x").String()); err != nil {
		t.Errorf("as an insecure registry: %v", err)
	}
}

// A request may name a registry insecure that the configuration does not, for itself alone: xc push --insecure.
func TestInsecureForOneRequest(t *testing.T) {
	plain := newRegistry(t, nil)
	unknown := httptest.NewTLSServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(unknown.Close)
	c := newClient(t, nil)
	c.insecure = insecureRules{} // loopback is insecure by rule, which this test must not have
	for name, host := range map[string]string{"plain HTTP": plain.Host, "an unknown authority": address(t, unknown.URL).Host} {
		r := engine.Remote{Repository: host + "/x"}
		body := noise(t, 100)
		up := func(r engine.Remote) error {
			return c.PutBlob(t.Context(), r, engine.BlobUpload{Digest: digest.FromBytes(body).String(), Size: 100, Content: bytes.NewReader(body)})
		}
		if err := up(r); err == nil {
			t.Errorf("%s: pushed", name)
		}
		insecure := r
		insecure.Insecure = true
		if err := up(insecure); err != nil {
			t.Errorf("%s: as insecure: %v", name, err)
		}
		if err := up(r); err == nil {
			t.Errorf("%s: pushed after another request was insecure", name)
		}
	}
}

func TestUploadSurvivesABrokenConnection(t *testing.T) {
	store := &uploadStore{cut: 300_000}
	s := httptest.NewServer(store)
	t.Cleanup(s.Close)
	c := newClient(t, nil)
	body := noise(t, 1_000_000)
	var last int64
	up := engine.BlobUpload{Digest: digest.FromBytes(body).String(), Size: int64(len(body)), Content: bytes.NewReader(body), Sent: func(n int64) { last = n }}
	if err := c.PutBlob(t.Context(), engine.Remote{Repository: address(t, s.URL).Host + "/x"}, up); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(store.got, body) || last != int64(len(body)) {
		t.Errorf("the registry has %d bytes, %d reported", len(store.got), last)
	}
	if store.begun != 1 || store.patches < 2 {
		t.Errorf("%d uploads, %d patches: it was not resumed", store.begun, store.patches)
	}
}

func TestUploadInPiecesWhereABodyIsTooLarge(t *testing.T) {
	store := &uploadStore{limit: 5 << 20}
	s := httptest.NewServer(store)
	t.Cleanup(s.Close)
	body := noise(t, 18<<20)
	put(t, newClient(t, nil), engine.Remote{Repository: address(t, s.URL).Host + "/x"}, body)
	if !bytes.Equal(store.got, body) {
		t.Errorf("the registry has %d bytes", len(store.got))
	}
}

// uploadStore takes uploads as the protocol says and has faults: it cuts the first PATCH after cut bytes, and refuses bodies
// above limit as a proxy would.
type uploadStore struct {
	mu             sync.Mutex
	got            []byte
	begun, patches int
	cut, limit     int64
}

func (u *uploadStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	progress := func(status int) {
		w.Header().Set("Location", "/v2/x/blobs/uploads/1?state=s")
		w.Header().Set("Range", fmt.Sprintf("0-%d", max(len(u.got)-1, 0)))
		w.WriteHeader(status)
	}
	switch {
	case r.Method == http.MethodPost:
		u.begun, u.got = u.begun+1, nil
		progress(http.StatusAccepted)
	case r.Method == http.MethodPatch:
		u.patches++
		if u.limit > 0 && r.ContentLength > u.limit {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		if cr := r.Header.Get("Content-Range"); cr != "" && !strings.HasPrefix(cr, fmt.Sprintf("%d-", len(u.got))) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		in := io.Reader(r.Body)
		if u.cut > 0 {
			in = io.LimitReader(in, u.cut)
		}
		part, _ := io.ReadAll(in)
		u.got = append(u.got, part...)
		if u.cut > 0 {
			u.cut = 0
			panic(http.ErrAbortHandler)
		}
		progress(http.StatusAccepted)
	case r.Method == http.MethodGet && strings.Contains(r.URL.Path, "uploads"):
		progress(http.StatusNoContent)
	case r.Method == http.MethodPut:
		if digest.FromBytes(u.got).String() != r.URL.Query().Get("digest") {
			refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "no")
			return
		}
		w.WriteHeader(http.StatusCreated)
	}
}

func TestSearch(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/search" || r.URL.Query().Get("n") != "25" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"num_results":1,"results":[{"name":%q,"description":"d","star_count":7,"is_official":true}]}`, r.URL.Query().Get("q"))
	}))
	t.Cleanup(s.Close)
	c := newClient(t, func(cfg *Config) { cfg.SearchURL = s.URL })
	for term, word := range map[string]string{"library/nginx": "nginx", "a/b": "a/b", address(t, s.URL).Host + "/team/x": "team/x"} {
		hits, err := c.Search(t.Context(), term, 0, engine.Credentials{})
		if err != nil {
			t.Fatalf("%s: %v", term, err)
		}
		if diff := cmp.Diff([]engine.SearchResult{{Name: word, Description: "d", Stars: 7, Official: true}}, hits); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := c.Search(t.Context(), "x", 101, engine.Credentials{}); engine.KindOf(err) != engine.Invalid {
		t.Errorf("limit 101: %v", err)
	}
	if _, err := c.Search(t.Context(), "x", 7, engine.Credentials{}); err == nil || !strings.Contains(err.Error(), "Unexpected status code 404") {
		t.Errorf("a refusal: %v", err)
	}
}

func TestLogInAndOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registries.json")
	c, err := New(Config{CredentialsFile: file, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		if user, password, _ := r.BasicAuth(); user != "ada" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	at := strings.TrimPrefix(server.URL, "http://")
	wrong := engine.Credentials{Username: "ada", Password: "no", ServerAddress: at}
	if err := c.LogIn(t.Context(), wrong, true); engine.KindOf(err) != engine.Unauthorized {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused login was kept: %v", err)
	}
	right := engine.Credentials{Username: "ada", Password: "s3cret", ServerAddress: at}
	if err := c.LogIn(t.Context(), right, true); err != nil {
		t.Fatal(err)
	}
	got, known, err := c.Credentials().Lookup(at)
	if err != nil || !known || got.Password != "s3cret" {
		t.Errorf("%v, %v", known, err)
	}
	if raw, err := os.ReadFile(file); err != nil || !strings.Contains(string(raw), `"insecure": true`) {
		t.Errorf("%v", err)
	}
	if err := c.LogOut(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if err := c.LogOut(t.Context(), at); engine.KindOf(err) != engine.NotFound {
		t.Errorf("%v", err)
	}
	if raw, err := os.ReadFile(file); err != nil || strings.Contains(string(raw), "s3cret") {
		t.Errorf("%v", err)
	}
}

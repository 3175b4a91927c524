package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/xcengine/xc/engine"
)

// sessionLife is how long a session is used again. A token lives for at least a minute and is renewed when it ends; this
// bounds how long rights that were taken away still work.
const sessionLife = 5 * time.Minute

type sessionKey struct {
	base     string
	insecure bool
	repo     string
	rights   string
	auth     [sha256.Size]byte
}

// session is an authenticated conversation with one endpoint about one repository.
type session struct {
	key    sessionKey
	ep     endpoint
	path   string // of the repository
	client *http.Client
	opened time.Time
}

// url returns the address of a part of the repository: "manifests/latest".
func (s *session) url(part string) *url.URL {
	u := s.ep.base
	u.Path = "/v2/" + s.path + "/" + part
	return &u
}

// rights that a session asks a token for.
const (
	rightPull = "pull"
	rightPush = "push,pull"
)

// open returns a session, a kept one if there is one. also names further repositories that must be readable, for mounts.
func (c *Client) open(ctx context.Context, ep endpoint, repo string, auth engine.Credentials, rights string, also ...string) (*session, error) {
	auth, err := c.credentials(ep, auth)
	if err != nil {
		return nil, err
	}
	key := sessionKey{
		base: ep.base.String(), insecure: ep.insecure, repo: repo, rights: rights + " " + strings.Join(also, " "),
		auth: sha256.Sum256([]byte(strings.Join([]string{auth.Username, auth.Password, auth.IdentityToken, auth.RegistryToken}, "\x00"))),
	}
	if s := c.kept(key); s != nil {
		return s, nil
	}
	var scopes []string
	if repo != "" {
		scopes = []string{"repository:" + repo + ":" + rights}
	}
	for _, r := range also {
		scopes = append(scopes, "repository:"+r+":"+rightPull)
	}
	rt, err := c.authenticate(ctx, ep, auth, scopes)
	if err != nil {
		return nil, err
	}
	s := &session{key: key, ep: ep, path: repo, client: &http.Client{Transport: rt}, opened: time.Now()}
	c.mu.Lock()
	c.sessions[key] = s
	c.mu.Unlock()
	return s, nil
}

func (c *Client) kept(key sessionKey) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, s := range c.sessions {
		if time.Since(s.opened) > sessionLife {
			delete(c.sessions, k)
		}
	}
	return c.sessions[key]
}

// drop forgets a session whose rights turned out not to suffice, so that the next try asks anew.
func (c *Client) drop(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[s.key] == s {
		delete(c.sessions, s.key)
	}
}

// credentials chooses what to show an endpoint.
func (c *Client) credentials(ep endpoint, given engine.Credentials) (engine.Credentials, error) {
	if !ep.mirror && (given.Username != "" || given.IdentityToken != "" || given.RegistryToken != "") {
		return given, nil
	}
	stored, _, err := c.store.Lookup(ep.key)
	return stored, err
}

// authenticate pings the endpoint and answers its challenge.
func (c *Client) authenticate(ctx context.Context, ep endpoint, auth engine.Credentials, scopes []string) (http.RoundTripper, error) {
	pool, err := c.transport(ep.base.Host, ep.insecure)
	if err != nil {
		return nil, err
	}
	g := &guard{next: pool, ep: ep, idle: c.cfg.IdleTimeout, agent: c.cfg.UserAgent}
	return c.handshake(ctx, ep, auth, scopes, g)
}

func (c *Client) handshake(ctx context.Context, ep endpoint, auth engine.Credentials, scopes []string, base http.RoundTripper) (http.RoundTripper, error) {
	var opts []name.Option
	if ep.insecure {
		opts = append(opts, name.Insecure)
	}
	reg, err := name.NewRegistry(ep.base.Host, opts...)
	if err != nil {
		return nil, invalidf("registry %s: %w", ep.base.Host, err)
	}
	first := &firstError{next: base}
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	rt, err := transport.NewWithContext(limited, reg, authenticator(auth), first, scopes)
	if err == nil {
		return rt, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, first.clearer(err)
}

// firstError remembers why the first request failed: where HTTPS and then plain HTTP were tried, that is what to tell.
type firstError struct {
	next http.RoundTripper

	mu   sync.Mutex
	err  error
	last error
}

// clearer tells one failure where both ways were tried: the first where the second is not allowed, and where nobody answers
// at all the second, as Docker does.
func (f *firstError) clearer(both error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var first, last *net.OpError
	switch {
	case errors.Is(both, errPlainHTTP) && f.err != nil:
		return f.err
	case errors.As(f.err, &first) && first.Op == "dial" && errors.As(f.last, &last) && last.Op == "dial":
		return f.last
	}
	return both
}

// RoundTrip implements http.RoundTripper.
func (f *firstError) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f.next.RoundTrip(req)
	if err != nil && !errors.Is(err, errPlainHTTP) {
		f.mu.Lock()
		f.last = &url.Error{Op: "Get", URL: req.URL.Redacted(), Err: err}
		if f.err == nil {
			f.err = f.last
		}
		f.mu.Unlock()
	}
	return resp, err
}

func authenticator(c engine.Credentials) authn.Authenticator {
	if c.Username == "" && c.IdentityToken == "" && c.RegistryToken == "" {
		return authn.Anonymous
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: c.Username, Password: c.Password, IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken,
	})
}

// parseRepository checks a canonical repository name.
func parseRepository(repository string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(repository)
	if err != nil || !reference.IsNameOnly(named) {
		return nil, invalidf("invalid repository name %q", repository)
	}
	return named, nil
}

// each calls f with a session of every endpoint of the repository until one succeeds. A registry's refusal ends it unless
// it came from a mirror.
func (c *Client) each(ctx context.Context, r engine.Remote, rights string, f func(*session) error) error {
	named, err := parseRepository(r.Repository)
	if err != nil {
		return err
	}
	eps, err := c.endpoints(reference.Domain(named), rights == rightPull)
	if err != nil {
		return err
	}
	for _, ep := range eps {
		ep.insecure = ep.insecure || r.Insecure && !ep.mirror
		err = c.try(ctx, ep, named, r.Auth, rights, f)
		if err == nil || ctx.Err() != nil {
			break
		}
		if ep.mirror {
			c.log.Info("mirror did not serve, trying the next", "mirror", ep.base.Host, "repository", r.Repository, "error", err)
		}
	}
	return c.explain(err, named, rights)
}

func (c *Client) try(ctx context.Context, ep endpoint, named reference.Named, auth engine.Credentials, rights string, f func(*session) error) error {
	return c.retry(ctx, func() error {
		s, err := c.open(ctx, ep, remotePath(named), auth, rights)
		if err != nil {
			return err
		}
		err = f(s)
		if isStatus(err, http.StatusUnauthorized, http.StatusForbidden) {
			c.drop(s)
		}
		return err
	})
}

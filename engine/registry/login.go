package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/xcengine/xc/engine"
)

// LogIn checks credentials as Login does, and keeps them in the registries file. insecure accepts plain HTTP and unknown
// certificates, from now on too.
func (c *Client) LogIn(ctx context.Context, cred engine.Credentials, insecure bool) error {
	token, err := c.prove(ctx, cred, insecure)
	if err != nil {
		return err
	}
	cred.IdentityToken = token
	return c.store.save(cred, insecure)
}

// LogOut forgets the credentials of a registry.
func (c *Client) LogOut(_ context.Context, server string) error {
	_, known, err := c.store.Lookup(server)
	if err != nil {
		return err
	}
	if !known {
		return &engine.Error{
			Op: "logout", Kind: engine.NotFound, Resource: engine.ResourceRegistry, ID: server,
			Err: fmt.Errorf("nobody is logged in to %s", normalizeServer(server)),
		}
	}
	return c.store.Forget(server)
}

// Login checks credentials against the registry that they name (Docker Hub when they name none) and returns the identity
// token that it gave in the password's place, if any. Nothing is kept: see File.Save.
func (c *Client) Login(ctx context.Context, cred engine.Credentials) (string, error) {
	return c.prove(ctx, cred, false)
}

func (c *Client) prove(ctx context.Context, cred engine.Credentials, insecure bool) (string, error) {
	eps, err := c.endpoints(normalizeServer(cred.ServerAddress), false)
	if err != nil {
		return "", err
	}
	ep := eps[0]
	ep.insecure = ep.insecure || insecure
	pool, err := c.transport(ep.base.Host, ep.insecure)
	if err != nil {
		return "", err
	}
	var token string
	err = c.retry(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, requestLimit)
		defer cancel()
		g := &guard{next: pool, ep: ep, idle: c.cfg.IdleTimeout, agent: c.cfg.UserAgent}
		var err error
		token, err = c.login(ctx, ep, cred, g)
		return err
	})
	return token, loginError(err, ep)
}

func (c *Client) login(ctx context.Context, ep endpoint, cred engine.Credentials, base http.RoundTripper) (string, error) {
	var opts []name.Option
	if ep.insecure {
		opts = append(opts, name.Insecure)
	}
	reg, err := name.NewRegistry(ep.base.Host, opts...)
	if err != nil {
		return "", invalidf("registry %s: %w", ep.base.Host, err)
	}
	first := &firstError{next: base}
	challenge, err := transport.Ping(ctx, reg, first)
	if err != nil {
		return "", first.clearer(err)
	}
	var given *transport.Token
	if strings.EqualFold(challenge.Scheme, "bearer") {
		offline := &offlineToken{next: base, user: cred.Username, realm: challenge.Parameters["realm"]}
		if given, err = transport.Exchange(ctx, reg, authenticator(cred), offline, nil, challenge); err != nil {
			return "", err
		}
		if given.Token == "" {
			given.Token = given.AccessToken
		}
	} else {
		given = &transport.Token{}
	}
	rt, err := transport.FromToken(reg, authenticator(cred), base, challenge, given)
	if err != nil {
		return "", err
	}
	at := ep.base
	if at.Path = "/v2/"; challenge.Insecure {
		at.Scheme = "http"
	}
	return given.RefreshToken, proven(ctx, &http.Client{Transport: rt}, at)
}

// proven asks for what only a user gets.
func proven(ctx context.Context, client *http.Client, at url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return check(resp, http.StatusOK)
}

// offlineToken asks a token server for a token that stands in for the password from now on, as Docker's login does.
type offlineToken struct {
	next  http.RoundTripper
	user  string
	realm string

	mu sync.Mutex
}

// RoundTrip implements http.RoundTripper.
func (o *offlineToken) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet && strings.HasPrefix(req.URL.String(), o.realm) {
		o.mu.Lock()
		defer o.mu.Unlock()
		query := req.URL.Query()
		query.Set("offline_token", "true")
		query.Set("client_id", "docker")
		query.Set("account", o.user)
		req.URL.RawQuery = query.Encode()
	}
	return o.next.RoundTrip(req)
}

func loginError(err error, ep endpoint) error {
	if err == nil {
		return nil
	}
	var known *engine.Error
	if errors.As(err, &known) {
		return err
	}
	place := ep.base
	place.Path += "/v2/"
	e := &engine.Error{Op: "login", Kind: engine.Unavailable, Resource: engine.ResourceRegistry, ID: ep.key}
	var refusal *transport.Error
	switch {
	case isCanceled(err):
		e.Kind, e.Err = engine.Canceled, err
	case !isStatus(err, http.StatusUnauthorized, http.StatusForbidden):
		e.Reason, e.Err = engine.ReasonUnreachable, words(err)
	case errors.As(err, &refusal) && refusal.Request != nil && strings.HasSuffix(refusal.Request.URL.Path, "/v2/"):
		e.Kind, e.Reason, e.Err = engine.Unauthorized, engine.ReasonLoginRefused, words(err)
		e.Args = []string{refusal.Request.URL.Redacted(), fmt.Sprintf("%d %s", refusal.StatusCode, http.StatusText(refusal.StatusCode))}
	default: // it was the token server
		e.Kind, e.Err = engine.Unauthorized, &worded{fmt.Sprintf("Get %q: %s", place.String(), unauthorized(err)), err}
	}
	return e
}

// unauthorized tells why a login failed in the registry's words, or in Docker's where it has none.
func unauthorized(err error) string {
	var refusal *transport.Error
	if errors.As(err, &refusal) && len(refusal.Errors) > 0 {
		return words(err).Error()
	}
	return "unauthorized: authentication required"
}

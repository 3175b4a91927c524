package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Limits of a conversation with a registry.
const (
	dialTimeout      = 30 * time.Second
	handshakeTimeout = 15 * time.Second
	// commitTimeout bounds a registry's silence after a whole blob or manifest was sent: it may copy gigabytes then.
	commitTimeout = 15 * time.Minute
	// pingLimit bounds the body of an answer to GET /v2/, which nobody reads.
	pingLimit = 64 << 10
)

var (
	errPlainHTTP = errors.New("the registry asks for plain HTTP, which is for insecure registries only")
	errIdle      = errors.New("the registry sent nothing for too long")
)

type transportKey struct {
	host     string
	insecure bool
}

// transport returns the pool of connections to a host.
func (c *Client) transport(host string, insecure bool) (*http.Transport, error) {
	key := transportKey{host, insecure}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.transports[key]; t != nil {
		return t, nil
	}
	conf, err := tlsConfig(c.cfg.CertsDir, host, insecure)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy:               c.cfg.Proxy,
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     conf,
		TLSHandshakeTimeout: handshakeTimeout,
		// A compressed layer must come as it is.
		DisableCompression:  true,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
		ReadBufferSize:      64 << 10,
		WriteBufferSize:     64 << 10,
	}
	c.transports[key] = t
	return t, nil
}

// tlsConfig reads the host's directory below dir, in Docker's layout. Roots found there come beside the system's.
func tlsConfig(dir, host string, insecure bool) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecure} //nolint:gosec // by the administrator's word
	if dir == "" || strings.ContainsAny(host, `/\`) {
		return conf, nil
	}
	dir = filepath.Join(dir, host)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return conf, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch filepath.Ext(path) {
		case ".crt":
			if err := addRoots(conf, path); err != nil {
				return nil, err
			}
		case ".cert":
			pair, err := tls.LoadX509KeyPair(path, strings.TrimSuffix(path, ".cert")+".key")
			if err != nil {
				return nil, invalidf("client certificate of registry %s: %w", host, err)
			}
			conf.Certificates = append(conf.Certificates, pair)
		}
	}
	return conf, nil
}

func addRoots(conf *tls.Config, path string) error {
	pem, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if conf.RootCAs == nil {
		if conf.RootCAs, err = x509.SystemCertPool(); err != nil {
			conf.RootCAs = x509.NewCertPool()
		}
	}
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return invalidf("%s holds no certificate", path)
	}
	return nil
}

// guard is the innermost transport of a session: it keeps plain text away from secure registries, puts the endpoint's path
// before the protocol's, and ends conversations that stand still.
type guard struct {
	next  http.RoundTripper
	ep    endpoint
	idle  time.Duration
	agent string
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !g.ep.insecure {
		closeBody(req)
		return nil, errPlainHTTP
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	watch := &watchdog{limit: g.idle, cancel: cancel}
	watch.timer = time.AfterFunc(g.idle, func() { cancel(errIdle) })
	out := req.Clone(ctx)
	if g.ep.base.Path != "" && req.URL.Host == g.ep.base.Host && strings.HasPrefix(req.URL.Path, "/v2/") {
		out.URL.Path, out.URL.RawPath = g.ep.base.Path+req.URL.Path, ""
	}
	out.Header.Set("User-Agent", g.agent)
	if err := watch.body(req, out); err != nil {
		watch.stop()
		return nil, err
	}
	resp, err := g.next.RoundTrip(out)
	if err != nil {
		watch.stop()
		return nil, watch.explain(ctx, err)
	}
	watch.timer.Stop()
	body := &watchedBody{ReadCloser: resp.Body, watch: watch, ctx: ctx, owner: true, left: -1}
	if strings.HasSuffix(req.URL.Path, "/v2/") {
		body.left = pingLimit
	}
	resp.Body = body
	// The next transport judges redirects by the request that it sent.
	resp.Request = req
	return resp, nil
}

// watchdog cancels a request whose bytes stopped flowing.
type watchdog struct {
	limit  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

// body gives out the body of req. It is made anew where it can be, because a request may come twice: the transport above
// sends it again after it renewed a token.
func (w *watchdog) body(req, out *http.Request) error {
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		if req.Method == http.MethodPut || req.Method == http.MethodPost {
			w.timer.Reset(commitTimeout)
		}
	case req.GetBody == nil:
		out.Body = &watchedBody{ReadCloser: req.Body, watch: w, atEnd: commitTimeout, left: -1}
	default:
		closeBody(req)
		out.GetBody = func() (io.ReadCloser, error) {
			body, err := req.GetBody()
			return &watchedBody{ReadCloser: body, watch: w, atEnd: commitTimeout, left: -1}, err
		}
		var err error
		out.Body, err = out.GetBody()
		return err
	}
	return nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain puts the reason for which a request was given up in the place of "context canceled".
func (w *watchdog) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errIdle) {
		return fmt.Errorf("%w (%v)", errIdle, w.limit)
	}
	return err
}

type watchedBody struct {
	io.ReadCloser
	watch *watchdog
	ctx   context.Context // of an answer; nil for a request's body
	atEnd time.Duration   // how long to wait after a request's body was sent
	owner bool            // closing ends the request
	left  int64           // bytes that may still be read; negative is all
}

// Read lets the watchdog look at the network alone: an answer's body is watched while it is read, a request's body between
// its reads.
func (b *watchedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.left > 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	if b.owner {
		b.watch.timer.Reset(b.watch.limit)
	} else {
		b.watch.timer.Stop()
	}
	n, err := b.ReadCloser.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	switch {
	case b.owner:
		b.watch.timer.Stop()
		if err != nil && !errors.Is(err, io.EOF) {
			err = b.watch.explain(b.ctx, err)
		}
	case errors.Is(err, io.EOF):
		b.watch.timer.Reset(b.atEnd)
	default:
		b.watch.timer.Reset(b.watch.limit)
	}
	return n, err
}

// Close ends the watch of an answer.
func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	if b.owner {
		b.watch.stop()
	}
	return err
}

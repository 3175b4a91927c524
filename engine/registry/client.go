package registry

import (
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Config says how registries are reached. The zero value is usable: Docker Hub and every TLS registry, nothing stored.
type Config struct {
	// CredentialsFile is the registries file (see File); empty keeps nothing. It is read again whenever it changed.
	CredentialsFile string
	Mirrors         []string // URLs tried before Docker Hub for pulls, in order
	Insecure        []string // "host", "host:port" or CIDR: plain HTTP and unknown certificates are accepted
	// CertsDir holds a directory for each "host[:port]" with *.crt (authorities), *.cert and *.key (client certificates),
	// as Docker's /etc/docker/certs.d. Empty: none.
	CertsDir  string
	SearchURL string // base of Docker Hub's search, default "https://index.docker.io"
	UserAgent string // default "xc"
	// IdleTimeout ends an answer that brings no byte for so long; default one minute.
	IdleTimeout time.Duration
	// Proxy chooses a proxy for a request; default http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)
	Log   *slog.Logger
}

// Client reaches registries. It is safe for concurrent use.
type Client struct {
	cfg      Config
	insecure insecureRules
	mirrors  []*url.URL
	store    *File
	log      *slog.Logger

	mu         sync.Mutex
	transports map[transportKey]*http.Transport
	sessions   map[sessionKey]*session
}

// New makes a client. Mirrors or insecure registries that cannot be meant are an error of kind Invalid.
func New(cfg Config) (*Client, error) {
	if cfg.IdleTimeout <= 0 {
		cfg.IdleTimeout = time.Minute
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "xc"
	}
	if cfg.SearchURL == "" {
		cfg.SearchURL = "https://index.docker.io"
	}
	if cfg.Proxy == nil {
		cfg.Proxy = http.ProxyFromEnvironment
	}
	c := &Client{
		cfg: cfg, log: cfg.Log, store: NewFile(cfg.CredentialsFile),
		transports: map[transportKey]*http.Transport{}, sessions: map[sessionKey]*session{},
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.insecure, err = parseInsecure(cfg.Insecure); err != nil {
		return nil, err
	}
	for _, m := range cfg.Mirrors {
		u, err := parseMirror(m)
		if err != nil {
			return nil, err
		}
		c.mirrors = append(c.mirrors, u)
	}
	return c, nil
}

// Credentials is where the client finds and keeps what logins proved.
func (c *Client) Credentials() *File { return c.store }

// Close gives up the connections that idle. Calls that run are not disturbed.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
	c.sessions = map[sessionKey]*session{}
}

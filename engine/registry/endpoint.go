package registry

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/distribution/reference"

	"github.com/xcengine/xc/engine"
)

// Docker Hub has three names: the one in references, the one of logins and search, and the one that serves the protocol.
const (
	hubDomain   = "docker.io"
	hubIndex    = "index.docker.io"
	hubRegistry = "registry-1.docker.io"
)

// endpoint is one place that serves a repository.
type endpoint struct {
	base     url.URL // scheme, host and an optional path before /v2/
	key      string  // the name under which credentials are stored
	mirror   bool
	insecure bool // plain HTTP and unknown certificates are accepted
}

// remotePath is what a registry calls the repository: the reference's name without its domain.
func remotePath(named reference.Named) string { return reference.Path(named) }

// endpoints lists the places that serve a registry, best first. Mirrors only read.
func (c *Client) endpoints(domain string, read bool) ([]endpoint, error) {
	file, err := c.store.load()
	if err != nil {
		return nil, err
	}
	key := normalizeServer(domain)
	if key == hubDomain && file.Default != "" {
		key = normalizeServer(file.Default)
	}
	entry := file.find(key)
	var all []endpoint
	if read {
		for _, m := range entry.Mirrors {
			u, err := parseMirror(m)
			if err != nil {
				return nil, err
			}
			all = append(all, c.mirror(u))
		}
		if key == hubDomain {
			for _, u := range c.mirrors {
				all = append(all, c.mirror(u))
			}
		}
	}
	upstream, err := c.upstream(key, entry)
	if err != nil {
		return nil, err
	}
	return append(all, upstream), nil
}

func (c *Client) mirror(u *url.URL) endpoint {
	return endpoint{
		base: *u, key: normalizeServer(u.Host), mirror: true,
		insecure: u.Scheme == "http" || c.insecure.match(u.Host),
	}
}

func (c *Client) upstream(key string, entry Entry) (endpoint, error) {
	e := endpoint{base: url.URL{Scheme: "https", Host: key}, key: key, insecure: entry.Insecure || c.insecure.match(key)}
	if key == hubDomain {
		e.base.Host, e.insecure = hubRegistry, entry.Insecure
	}
	if entry.BaseURL == "" || isHub(entry.BaseURL) {
		return e, nil
	}
	u, err := url.Parse(entry.BaseURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return endpoint{}, invalidf("registry %s: base_url %q is no http or https URL", key, entry.BaseURL)
	}
	e.base = url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/")}
	e.insecure = e.insecure || u.Scheme == "http" || c.insecure.match(u.Host)
	return e, nil
}

// isHub reports whether a base_url means Docker Hub by one of its names, each of which the protocol's own host serves.
func isHub(base string) bool {
	u, err := url.Parse(base)
	return err == nil && normalizeServer(u.Host) == hubDomain
}

// normalizeServer brings what users call a registry ("https://index.docker.io/v1/", "Host:5000") to a reference's domain.
func normalizeServer(server string) string {
	if _, rest, ok := strings.Cut(server, "://"); ok {
		server = rest
	}
	server, _, _ = strings.Cut(server, "/")
	switch server = strings.ToLower(server); server {
	case "", hubIndex, hubRegistry, "registry.hub.docker.com":
		return hubDomain
	}
	return server
}

func parseMirror(mirror string) (*url.URL, error) {
	u, err := url.Parse(mirror)
	switch {
	case err != nil:
		return nil, invalidf("invalid mirror: %q is not a valid URI", mirror)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, invalidf("invalid mirror: unsupported scheme %q in %q: must use either 'https://' or 'http://'", u.Scheme, u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, invalidf("invalid mirror: query or fragment at end of the URI %q", u.Redacted())
	case u.User != nil:
		return nil, invalidf("invalid mirror: username/password not allowed in URI %q", u.Redacted())
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

// insecureRules is what the administrator lists as insecure, with the loopback that always is.
type insecureRules struct {
	hosts map[string]bool
	nets  []netip.Prefix
}

func parseInsecure(list []string) (insecureRules, error) {
	r := insecureRules{
		hosts: map[string]bool{},
		nets:  []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	}
	for _, s := range list {
		s = strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(s), "http://"), "https://")
		if p, err := netip.ParsePrefix(s); err == nil {
			r.nets = append(r.nets, p.Masked())
			continue
		}
		if u, err := url.Parse("//" + s); s == "" || err != nil || u.Host != s {
			return r, invalidf("insecure registry %s is not valid", s)
		}
		r.hosts[s] = true
	}
	return r, nil
}

// match compares names as they are written and addresses with the networks. A name is never resolved: what it resolves to
// is another's to say.
func (r insecureRules) match(hostport string) bool {
	hostport = strings.ToLower(hostport)
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if r.hosts[hostport] || host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, p := range r.nets {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

func invalidf(format string, args ...any) error {
	return &engine.Error{Kind: engine.Invalid, Resource: engine.ResourceRegistry, Err: fmt.Errorf(format, args...)}
}

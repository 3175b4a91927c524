package dockerapi

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/xcengine/xc/engine"
)

// checkOrigin keeps web pages from reaching the API through a browser on this host. A socket file is out of their reach. On
// TCP a page shows itself by its Origin; and a name that its owner has pointed at this host (DNS rebinding) shows itself by a
// Host that is neither an address nor "localhost", unless TLS has vouched for the client.
func checkOrigin(r *http.Request) error {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if addr == nil || addr.Network() != "tcp" {
		return nil
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != r.Host {
			return forbidden("requests of web pages are not served")
		}
	}
	if r.TLS != nil {
		return nil
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && host != "localhost" && host != "" {
		return forbidden("the Host of a request without TLS must be an address or localhost")
	}
	return nil
}

func forbidden(text string) error {
	return &engine.Error{Kind: engine.Forbidden, Err: errors.New(text)}
}

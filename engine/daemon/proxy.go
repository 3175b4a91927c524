package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/xcengine/xc/engine"
)

// proxySchemes are those that net/http's transport can speak to.
var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// completeProxies takes what is not configured from the environment. An address that the transport would pass over without a
// word is refused.
func (c *Config) completeProxies() error {
	env := httpproxy.FromEnvironment()
	c.HTTPProxy, c.HTTPSProxy, c.NoProxy = cmp.Or(c.HTTPProxy, env.HTTPProxy), cmp.Or(c.HTTPSProxy, env.HTTPSProxy), cmp.Or(c.NoProxy, env.NoProxy)
	for key, proxy := range map[string]string{"http_proxy": c.HTTPProxy, "https_proxy": c.HTTPSProxy} {
		if err := checkProxy(proxy); err != nil {
			return &engine.Error{Op: "configure", Kind: engine.Invalid, Err: fmt.Errorf("%s: %w", key, err)}
		}
	}
	return nil
}

// checkProxy tells nothing of the address: there may be a password in it.
func checkProxy(proxy string) error {
	if proxy == "" {
		return nil
	}
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" || !slices.Contains(proxySchemes, u.Scheme) {
		return errors.New("not the address of a proxy: it is [SCHEME://][USER:PASSWORD@]HOST[:PORT], with the scheme " + strings.Join(proxySchemes, ", "))
	}
	return nil
}

// proxy chooses the proxy for a request, as httpproxy does: this host itself is always reached directly.
func (c *Config) proxy() func(*http.Request) (*url.URL, error) {
	choose := (&httpproxy.Config{HTTPProxy: c.HTTPProxy, HTTPSProxy: c.HTTPSProxy, NoProxy: c.NoProxy}).ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
}

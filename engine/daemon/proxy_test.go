package daemon

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
)

func TestProxies(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
	t.Setenv("http_proxy", "http://environment:1")
	t.Setenv("NO_PROXY", "direct.example")
	c := Defaults()
	c.HTTPSProxy = "socks5://user:pass@configured:2"
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"http://registry.example/v2/": "http://environment:1", "https://registry.example/v2/": "socks5://user:pass@configured:2",
		"http://direct.example/": "", "https://127.0.0.1:5000/v2/": "",
	} {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := c.proxy()(r)
		got := ""
		if u != nil {
			got = u.String()
		}
		if err != nil || got != want {
			t.Errorf("%s goes through %q, %v; want %q", address, got, err, want)
		}
	}
}

func TestBadProxiesAreRefused(t *testing.T) {
	for _, proxy := range []string{"ftp://user:secret@host", "http://", "http://user:secret@ho st/", "secret:port:"} {
		c := Defaults()
		c.HTTPProxy = proxy
		err := c.complete()
		if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), "http_proxy") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", proxy, err)
		}
	}
}

func TestRecipesFetchThroughTheProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.String()+" "+r.UserAgent()) //nolint:errcheck // what arrives is looked at
	}))
	defer proxy.Close()
	c := Defaults()
	c.HTTPProxy = proxy.URL
	page, err := newWeb("xc/1", c.proxy()).Get(t.Context(), "http://files.example/a")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	if got, err := io.ReadAll(page); err != nil || string(got) != "http://files.example/a xc/1" {
		t.Errorf("the proxy was asked for %q, %v", got, err)
	}
}

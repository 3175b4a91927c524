package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/builder"
	"github.com/xcengine/xc/engine/internal/redact"
	"github.com/xcengine/xc/engine/layers"
)

// web fetches what recipes name by URL.
type web struct {
	agent  string
	client *http.Client
}

// headerTimeout bounds how long a server may think before it answers; how long the answer takes is the build's own business.
const headerTimeout = time.Minute

func newWeb(agent string, proxy func(*http.Request) (*url.URL, error)) web {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = proxy
	t.ResponseHeaderTimeout = headerTimeout
	t.DisableCompression = true // a compressed file is wanted as it is
	return web{agent, &http.Client{Transport: t}}
}

// Get implements builder.Web.
func (w web) Get(ctx context.Context, address string) (builder.Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return builder.Page{}, told(err)
	}
	req.Header.Set("User-Agent", w.agent)
	res, err := w.client.Do(req)
	if err != nil {
		return builder.Page{}, told(err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		_, _ = io.CopyN(io.Discard, res.Body, 1<<10) // so that the connection may serve again
		res.Body.Close()
		return builder.Page{}, &engine.Error{Op: "fetch", Kind: engine.Invalid, Err: fmt.Errorf("error fetching remote content %s: got status: %s", redact.Address(address), res.Status)}
	}
	p := builder.Page{ReadCloser: res.Body, ContentType: res.Header.Get("Content-Type"), Size: res.ContentLength}
	if _, params, err := mime.ParseMediaType(res.Header.Get("Content-Disposition")); err == nil {
		p.Name = params["filename"]
	}
	if at, err := http.ParseTime(res.Header.Get("Last-Modified")); err == nil {
		p.Modified = at
	}
	return p, nil
}

// told is an error without the address: who asked knows it, and tells it in a way that may be shown.
func told(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// buildRoots gives a builder clones and what was changed in them.
type buildRoots struct {
	layers.Roots
	layers layers.Layers
}

// RootDiff implements builder.Roots.
func (r buildRoots) RootDiff(ctx context.Context, id engine.ContainerID) (io.ReadCloser, error) {
	return r.layers.RootDiff(ctx, id)
}

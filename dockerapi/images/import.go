package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// importImage makes an image of a tar in the body, or at an address.
func (g *group) importImage(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	source := r.Param("fromSrc")
	req, err := translate.Import(translate.ImportQuery{
		Repo: r.Param("repo"), Tag: r.Param("tag"), Message: r.Param("message"), Source: source, Platform: r.Param("platform"),
		Changes: r.Params("changes"),
	}, r.Version, g.env.Host)
	if err != nil {
		return err
	}
	out := &lines{w: w}
	tar := io.Reader(r.Body)
	if source != "-" {
		body, err := download(ctx, source, out)
		if err != nil {
			return err
		}
		defer body.Close()
		tar = body
	}
	id, err := g.backend.Import(ctx, req, tar)
	if err == nil {
		out.write(translate.StatusLine(string(id)))
	}
	return out.end(err)
}

// download opens the file at an address, which is of http when it does not say.
func download(ctx context.Context, source string, out *lines) (io.ReadCloser, error) {
	if !strings.Contains(source, "://") {
		source = "http://" + source
	}
	u, err := url.Parse(source)
	if err != nil {
		return nil, &engine.Error{Kind: engine.Invalid, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown) && !unknown.IsTimeout:
		return nil, &engine.Error{Kind: engine.NotFound, Err: err}
	case err != nil:
		return nil, err
	case resp.StatusCode >= http.StatusBadRequest:
		return nil, refused(u, resp)
	}
	out.write(translate.StatusLine(fmt.Sprintf("Downloading from %s", u)))
	return &importing{ReadCloser: resp.Body, out: out, total: max(resp.ContentLength, 0)}, nil
}

// maxRefusal is how much of a server's explanation is told.
const maxRefusal = 4 << 10

var refusals = map[int]engine.Kind{
	http.StatusNotFound: engine.NotFound, http.StatusBadRequest: engine.Invalid, http.StatusUnauthorized: engine.Unauthorized,
	http.StatusForbidden: engine.Forbidden,
}

func refused(u *url.URL, resp *http.Response) error {
	why, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	err = errors.Join(err, resp.Body.Close())
	text := fmt.Errorf("failed to GET %s with status %s: %s", u, resp.Status, bytes.TrimSpace(why))
	if err != nil {
		text = fmt.Errorf("failed to GET %s with status %s: error reading body", u, resp.Status)
	}
	kind, ok := refusals[resp.StatusCode]
	if !ok {
		kind = engine.Internal
	}
	return &engine.Error{Kind: kind, Err: text}
}

// importing tells how much of a download was read, about every half mebibyte and at its end.
type importing struct {
	io.ReadCloser
	out                  *lines
	current, told, total int64
}

const tellEvery = 512 << 10

// Read implements io.Reader.
func (i *importing) Read(p []byte) (int, error) {
	n, err := i.ReadCloser.Read(p)
	i.current += int64(n)
	if i.current-i.told >= tellEvery || err == io.EOF && i.told < i.current {
		i.told = i.current
		i.out.report(engine.Progress{Status: "Importing", Current: i.current, Total: i.total})
	}
	return n, err
}

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/distribution/reference"

	"github.com/xcengine/xc/engine"
)

// A blob goes out in one request, which every registry takes. Where something in between refuses so large a body, it goes
// in pieces, smaller ones after each refusal.
const (
	firstChunk = 64 << 20
	leastChunk = 4 << 20
)

// MountBlob asks the registry to take a blob from another of its repositories. It reports whether it did; a registry that
// does not is not an error.
func (c *Client) MountBlob(ctx context.Context, r engine.Remote, digest, from string) (bool, error) {
	target, err := parseRepository(r.Repository)
	if err != nil {
		return false, err
	}
	source, err := parseRepository(from)
	if err != nil || reference.Domain(source) != reference.Domain(target) || source.Name() == target.Name() {
		return false, nil
	}
	eps, err := c.endpoints(reference.Domain(target), false)
	if err != nil {
		return false, err
	}
	eps[0].insecure = eps[0].insecure || r.Insecure
	mounted := false
	err = c.retry(ctx, func() error {
		s, err := c.open(ctx, eps[0], remotePath(target), r.Auth, rightPush, remotePath(source))
		if err != nil {
			return err
		}
		at := s.url("blobs/uploads/")
		at.RawQuery = url.Values{"mount": {digest}, "from": {remotePath(source)}}.Encode()
		mounted, err = c.mount(ctx, s, at)
		return err
	})
	if isStatus(err, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusBadRequest) {
		return false, nil // the source may not be read, or mounting is not known
	}
	return mounted, c.explain(err, target, rightPush)
}

func (c *Client) mount(ctx context.Context, s *session, at *url.URL) (bool, error) {
	resp, err := c.send(ctx, s, http.MethodPost, at, nil, requestLimit)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusCreated:
		return true, nil
	case http.StatusAccepted:
		// It began an upload instead, which nobody will feed.
		if abandoned, err := resp.Request.URL.Parse(resp.Header.Get("Location")); err == nil && resp.Header.Get("Location") != "" {
			c.cancelUpload(ctx, s, abandoned)
		}
		return false, nil
	}
	return false, check(resp, http.StatusCreated)
}

// cancelUpload gives an upload's space back. A registry that does not know how collects it in time.
func (c *Client) cancelUpload(ctx context.Context, s *session, at *url.URL) {
	resp, err := c.send(context.WithoutCancel(ctx), s, http.MethodDelete, at, nil, firstDelay*20)
	if err == nil {
		resp.Body.Close()
	}
}

// PutBlob sends a blob. A connection that breaks is taken up from the last byte that the registry has, where it can tell.
func (c *Client) PutBlob(ctx context.Context, r engine.Remote, blob engine.BlobUpload) error {
	up := &upload{c: c, blob: blob, chunk: blob.Size}
	return c.each(ctx, r, rightPush, func(s *session) error {
		if up.s != s {
			up.s, up.at = s, nil
		}
		err := up.run(ctx)
		if err != nil && up.at != nil && !temporary(err) {
			c.cancelUpload(ctx, s, up.at)
			up.at = nil
		}
		return err
	})
}

// upload is one blob on its way, across tries.
type upload struct {
	c     *Client
	s     *session
	blob  engine.BlobUpload
	at    *url.URL // where the next request goes; nil before the upload was begun
	done  int64    // bytes that the registry has
	chunk int64    // bytes of one request

	telling sync.Mutex // a body may still be read when its answer has come
}

func (u *upload) run(ctx context.Context) error {
	if u.at != nil {
		if err := u.resume(ctx); err != nil {
			u.at = nil
		}
	}
	if u.at == nil {
		if err := u.begin(ctx); err != nil {
			return err
		}
	}
	for u.done < u.blob.Size {
		err := u.piece(ctx)
		if isStatus(err, http.StatusRequestEntityTooLarge) && u.shrink() {
			if u.resume(ctx) != nil {
				if err := u.begin(ctx); err != nil {
					return err
				}
			}
			continue
		}
		if err != nil {
			return err
		}
	}
	return u.finish(ctx)
}

func (u *upload) shrink() bool {
	if u.chunk <= leastChunk {
		return false
	}
	u.chunk = max(min(u.chunk/4, firstChunk), leastChunk)
	return true
}

func (u *upload) begin(ctx context.Context) error {
	resp, err := u.c.send(ctx, u.s, http.MethodPost, u.s.url("blobs/uploads/"), nil, requestLimit)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := check(resp, http.StatusAccepted); err != nil {
		return err
	}
	u.done = 0
	u.report(0)
	return u.follow(resp)
}

// resume asks how much of the blob the registry has.
func (u *upload) resume(ctx context.Context) error {
	if u.at == nil {
		return errNoUpload
	}
	resp, err := u.c.send(ctx, u.s, http.MethodGet, u.at, nil, requestLimit)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := check(resp, http.StatusNoContent, http.StatusAccepted); err != nil {
		return err
	}
	_, last, ok := strings.Cut(strings.TrimPrefix(resp.Header.Get("Range"), "bytes="), "-")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil || n < 0 || n >= u.blob.Size {
		return errNoUpload
	}
	if u.done = n + 1; n == 0 {
		u.done = 0 // "0-0" says nothing yet
	}
	u.report(u.done)
	return u.follow(resp)
}

var errNoUpload = errors.New("the registry does not know the upload any more")

// piece sends the next bytes.
func (u *upload) piece(ctx context.Context) error {
	size, from := min(u.blob.Size-u.done, u.chunk), u.done
	body := func() (io.ReadCloser, error) {
		return io.NopCloser(&counted{Reader: io.NewSectionReader(u.blob.Content, from, size), sent: u.report, from: from}), nil
	}
	first, _ := body()
	req, err := u.request(ctx, http.MethodPatch, u.at, first, size)
	if err != nil {
		return err
	}
	req.GetBody = body
	if u.done > 0 || size < u.blob.Size {
		req.Header.Set("Content-Range", fmt.Sprintf("%d-%d", u.done, u.done+size-1))
	}
	resp, err := u.s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := check(resp, http.StatusAccepted, http.StatusNoContent, http.StatusCreated); err != nil {
		return err
	}
	u.done += size
	return u.follow(resp)
}

func (u *upload) finish(ctx context.Context) error {
	at := *u.at
	query := at.Query()
	query.Set("digest", u.blob.Digest)
	at.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	req, err := u.request(ctx, http.MethodPut, &at, nil, 0)
	if err != nil {
		return err
	}
	resp, err := u.s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return check(resp, http.StatusCreated, http.StatusNoContent, http.StatusOK)
}

func (u *upload) request(ctx context.Context, method string, at *url.URL, body io.Reader, size int64) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	return req, nil
}

// follow takes the place for the next request out of an answer.
func (u *upload) follow(resp *http.Response) error {
	location := resp.Header.Get("Location")
	if location == "" {
		if u.at == nil {
			return errors.New("the registry did not say where to upload to")
		}
		return nil
	}
	next, err := resp.Request.URL.Parse(location)
	if err != nil || next.Scheme != "https" && next.Scheme != "http" {
		return invalidf("the registry sends the upload to %q", location)
	}
	u.at = next
	return nil
}

func (u *upload) report(n int64) {
	u.telling.Lock()
	defer u.telling.Unlock()
	if u.blob.Sent != nil {
		u.blob.Sent(n)
	}
}

// counted tells how far a request's body was read.
type counted struct {
	io.Reader
	from int64
	sent func(int64)
}

// Read implements io.Reader.
func (r *counted) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.from += int64(n)
		r.sent(r.from)
	}
	return n, err
}

package registry

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Blob opens a blob of the given size, negative when not known, from an offset on. The caller verifies what it reads, and
// asks again from where the stream broke.
func (c *Client) Blob(ctx context.Context, r engine.Remote, digest string, size, offset int64) (engine.RemoteBlob, error) {
	var b engine.RemoteBlob
	err := c.each(ctx, r, rightPull, func(s *session) error {
		header := http.Header{}
		switch {
		case offset > 0 && size > offset:
			header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, size-1))
		case offset > 0:
			header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		}
		resp, err := c.send(ctx, s, http.MethodGet, s.url("blobs/"+digest), header, 0)
		if err != nil {
			return err
		}
		if b, err = openBlob(resp, offset); err != nil {
			resp.Body.Close()
		}
		return err
	})
	return b, err
}

func openBlob(resp *http.Response, offset int64) (engine.RemoteBlob, error) {
	if err := check(resp, http.StatusOK, http.StatusPartialContent); err != nil {
		return engine.RemoteBlob{}, err
	}
	b := engine.RemoteBlob{ReadCloser: resp.Body, Size: resp.ContentLength}
	if resp.StatusCode == http.StatusPartialContent {
		first, size, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || first != offset {
			return engine.RemoteBlob{}, invalidf("the registry answered the range %q where bytes from %d on were asked for", resp.Header.Get("Content-Range"), offset)
		}
		b.Offset, b.Size = first, size
	}
	return b, nil
}

// contentRange reads "bytes FIRST-LAST/SIZE"; a size of "*" is -1.
func contentRange(header string) (first, size int64, ok bool) {
	span, total, ok := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	if !ok || !strings.HasPrefix(header, "bytes ") {
		return 0, 0, false
	}
	from, _, ok := strings.Cut(span, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	if !ok || err != nil || first < 0 {
		return 0, 0, false
	}
	if size, err = strconv.ParseInt(total, 10, 64); err != nil {
		size = -1
	}
	return first, size, true
}

// HasBlob asks whether the repository holds a blob.
func (c *Client) HasBlob(ctx context.Context, r engine.Remote, digest string) (bool, error) {
	found := false
	err := c.each(ctx, r, rightPush, func(s *session) error {
		resp, err := c.send(ctx, s, http.MethodHead, s.url("blobs/"+digest), nil, requestLimit)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusNotFound {
			found = false
			return nil
		}
		found = true
		return check(resp, http.StatusOK)
	})
	return found && err == nil, err
}

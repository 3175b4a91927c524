package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Images lists images. Keys of the query: all, shared, dangling, before, since, until, and what selects: reference, label, without.
func (c *Client) Images(ctx context.Context, query url.Values) (all []wire.Image, err error) {
	return all, c.call(ctx, http.MethodGet, path("images"), query, nil, &all)
}

// Image tells everything of an image; ref is a name, an id or a prefix of the id. platform chooses among several of that name.
func (c *Client) Image(ctx context.Context, ref, platform string) (one wire.Image, err error) {
	return one, c.call(ctx, http.MethodGet, path("images", ref), ofPlatform(platform), nil, &one)
}

func ofPlatform(platform string) url.Values {
	if platform == "" {
		return nil
	}
	return url.Values{"platform": {platform}}
}

// PullImage fetches an image from its registry, and tells how far it has come. Breaking off ends the pull, unless somebody else
// wants the same.
func (c *Client) PullImage(ctx context.Context, what wire.Pull) iter.Seq2[wire.Progress, error] {
	return lines[wire.Progress](ctx, c, http.MethodPost, path("images", "pull"), nil, what)
}

// PushImage sends an image to a registry, and tells how far it has come; the result is the digest that it has there.
func (c *Client) PushImage(ctx context.Context, what wire.Push) iter.Seq2[wire.Progress, error] {
	return lines[wire.Progress](ctx, c, http.MethodPost, path("images", "push"), nil, what)
}

// LoadImages takes images out of an archive.
func (c *Client) LoadImages(ctx context.Context, archive io.Reader, platform string) iter.Seq2[wire.Progress, error] {
	return linesOf[wire.Progress](ctx, c, func(ctx context.Context) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodPost, "http://xc"+path("images", "load")+"?"+ofPlatform(platform).Encode(), archive)
	})
}

// SaveImages gives images as an archive, which the caller closes.
func (c *Client) SaveImages(ctx context.Context, what wire.Save) (io.ReadCloser, error) {
	req, err := c.request(ctx, http.MethodPost, path("images", "save"), nil, what)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// ImportImage makes an image of a root's tar.
func (c *Client) ImportImage(ctx context.Context, what wire.Import, root io.Reader) (made wire.Made, err error) {
	req, end, err := c.withContent(ctx, path("images", "import"), what, root)
	if err != nil {
		return made, err
	}
	defer end()
	resp, err := c.do(req)
	if err != nil {
		return made, err
	}
	defer resp.Body.Close()
	return made, json.NewDecoder(resp.Body).Decode(&made)
}

// withContent makes a request of two parts: what is asked for, and unless it is nil the content. end must be called when the
// answer has come.
func (c *Client) withContent(ctx context.Context, path string, what any, content io.Reader) (req *http.Request, end func(), err error) {
	from, to := io.Pipe()
	parts := multipart.NewWriter(to)
	if req, err = http.NewRequestWithContext(ctx, http.MethodPost, "http://xc"+path, from); err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", parts.FormDataContentType())
	done := make(chan struct{})
	go func() {
		defer close(done)
		to.CloseWithError(writeParts(parts, what, content))
	}()
	return req, func() {
		from.CloseWithError(errAnswered)
		<-done
	}, nil
}

// errAnswered ends the sending of what is not wanted any more.
var errAnswered = errors.New("the answer has come")

func writeParts(parts *multipart.Writer, what any, content io.Reader) error {
	first, err := parts.CreateFormField("request")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(first).Encode(what); err != nil {
		return err
	}
	if content != nil {
		second, err := parts.CreateFormFile("content", "content")
		if err != nil {
			return err
		}
		if _, err := io.Copy(second, content); err != nil {
			return err
		}
	}
	return parts.Close()
}

// ImageRemoval says how an image is removed.
type ImageRemoval struct {
	Force       bool     // also one with several names, or with containers that have ended
	KeepParents bool     // leave those without a name that it was made of
	Platforms   []string // "os[/arch[/variant]]": the images of these alone; none: every image that has the name
}

// RemoveImage removes a name, and with the last one the image.
func (c *Client) RemoveImage(ctx context.Context, ref string, how ImageRemoval) (gone []wire.ImageRemoved, err error) {
	q := flags("force", how.Force, "keep_parents", how.KeepParents)
	q["platform"] = how.Platforms
	return gone, c.call(ctx, http.MethodDelete, path("images", ref), q, nil, &gone)
}

// PruneImages removes images that have no name, with All those that no container is made of.
func (c *Client) PruneImages(ctx context.Context, what wire.Prune) (gone wire.ImagesPruned, err error) {
	return gone, c.call(ctx, http.MethodPost, path("images", "prune"), nil, what, &gone)
}

// TagImage gives an image one more name.
func (c *Client) TagImage(ctx context.Context, ref, target string) error {
	return c.call(ctx, http.MethodPost, path("images", ref, "tag"), nil, wire.Tag{Target: target}, nil)
}

// ImageHistory lists the steps of an image's making, the newest first.
func (c *Client) ImageHistory(ctx context.Context, ref, platform string) (all []wire.HistoryStep, err error) {
	return all, c.call(ctx, http.MethodGet, path("images", ref, "history"), ofPlatform(platform), nil, &all)
}

// ImageConfig gives xc's part of an image's configuration.
func (c *Client) ImageConfig(ctx context.Context, ref string) (j wire.JailConfig, err error) {
	return j, c.call(ctx, http.MethodGet, path("images", ref, "config"), nil, nil, &j)
}

// SetImageConfig replaces it, and gives the id of the image that has ref's name now.
func (c *Client) SetImageConfig(ctx context.Context, ref string, j wire.JailConfig) (made wire.Made, err error) {
	return made, c.call(ctx, http.MethodPut, path("images", ref, "config"), nil, j, &made)
}

// PatchImage changes parts of it, all or none.
func (c *Client) PatchImage(ctx context.Context, ref string, changes []wire.ImagePatch) (made wire.Made, err error) {
	return made, c.call(ctx, http.MethodPost, path("images", ref, "patch"), nil, changes, &made)
}

// SearchImages asks the registry that term begins with, or the default one.
func (c *Client) SearchImages(ctx context.Context, term string, limit int) (all []wire.Found, err error) {
	q := url.Values{"term": {term}}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return all, c.call(ctx, http.MethodGet, path("search"), q, nil, &all)
}

// Build makes an image of a recipe. content is the tar of the context; nil where what.Remote names one.
func (c *Client) Build(ctx context.Context, what wire.Build, content io.Reader) iter.Seq2[wire.BuildEvent, error] {
	return func(yield func(wire.BuildEvent, error) bool) {
		var end func()
		defer func() {
			if end != nil {
				end()
			}
		}()
		for e, err := range linesOf[wire.BuildEvent](ctx, c, func(ctx context.Context) (req *http.Request, err error) {
			req, end, err = c.withContent(ctx, path("build"), what, content)
			return req, err
		}) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// PruneBuilds removes steps of builds that no named image needs, with All every one.
func (c *Client) PruneBuilds(ctx context.Context, what wire.Prune) (gone wire.Pruned, err error) {
	return gone, c.call(ctx, http.MethodPost, path("builds", "prune"), nil, what, &gone)
}

// Login has the daemon check credentials and keep them.
func (c *Client) Login(ctx context.Context, what wire.Login) error {
	return c.call(ctx, http.MethodPost, path("login"), nil, what, nil)
}

// Logout has the daemon forget them.
func (c *Client) Logout(ctx context.Context, server string) error {
	return c.call(ctx, http.MethodPost, path("logout"), nil, wire.Logout{Server: server}, nil)
}

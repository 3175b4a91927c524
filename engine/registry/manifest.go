package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// maxTags bounds what a repository may list: names and pages.
const (
	maxTags     = 100_000
	maxTagsPage = 16 << 20
)

// Resolve asks what a tag or digest names, without its body where the registry can tell so. Docker Hub counts this not
// against its pull limit.
func (c *Client) Resolve(ctx context.Context, r engine.Remote, ref string) (engine.RemoteManifest, error) {
	var m engine.RemoteManifest
	err := c.each(ctx, r, rightPull, func(s *session) error {
		var err error
		if m, err = c.head(ctx, s, ref); err == nil && m.Digest != "" {
			return nil
		}
		// A refusal of HEAD has no words, and some registries know only GET.
		m, err = c.get(ctx, s, ref)
		return err
	})
	return m, manifestError(err, r, ref)
}

// Manifest fetches a manifest or index by tag or digest. Its digest was verified.
func (c *Client) Manifest(ctx context.Context, r engine.Remote, ref string) (engine.RemoteManifest, error) {
	var m engine.RemoteManifest
	err := c.each(ctx, r, rightPull, func(s *session) error {
		var err error
		m, err = c.get(ctx, s, ref)
		return err
	})
	return m, manifestError(err, r, ref)
}

// manifestError names the tag or digest that a registry does not know.
func manifestError(err error, r engine.Remote, ref string) error {
	var e *engine.Error
	if !errors.As(err, &e) || e.Kind != engine.NotFound || e.Reason != engine.ReasonNone {
		return err
	}
	named := *e
	named.Resource, named.Reason = engine.ResourceImage, engine.ReasonManifestUnknown
	if repo, perr := parseRepository(r.Repository); perr == nil {
		named.Args = []string{reference.FamiliarName(repo), ref}
	}
	if !hasCode(err, transport.ManifestUnknownErrorCode) {
		named.Err = &worded{"manifest unknown: manifest unknown", e.Err}
	}
	return &named
}

func (c *Client) head(ctx context.Context, s *session, ref string) (engine.RemoteManifest, error) {
	resp, err := c.send(ctx, s, http.MethodHead, s.url("manifests/"+ref), manifestHeader(), requestLimit)
	if err != nil {
		return engine.RemoteManifest{}, err
	}
	defer resp.Body.Close()
	if err := check(resp, http.StatusOK); err != nil {
		return engine.RemoteManifest{}, err
	}
	m := engine.RemoteManifest{MediaType: mediaType(resp), Size: resp.ContentLength}
	if d, err := imageformat.ParseDigest(resp.Header.Get("Docker-Content-Digest")); err == nil {
		m.Digest = d.String()
	}
	if want, err := imageformat.ParseDigest(ref); err == nil && m.Digest != "" && m.Digest != want.String() {
		return engine.RemoteManifest{}, mismatch("manifest", want, digest.Digest(m.Digest))
	}
	return m, nil
}

func (c *Client) get(ctx context.Context, s *session, ref string) (engine.RemoteManifest, error) {
	resp, err := c.send(ctx, s, http.MethodGet, s.url("manifests/"+ref), manifestHeader(), requestLimit)
	if err != nil {
		return engine.RemoteManifest{}, err
	}
	defer resp.Body.Close()
	if err := check(resp, http.StatusOK); err != nil {
		return engine.RemoteManifest{}, err
	}
	body, err := readBounded(resp.Body, imageformat.MaxDocument, "manifest")
	if err != nil {
		return engine.RemoteManifest{}, err
	}
	got := digest.FromBytes(body)
	if want, err := imageformat.ParseDigest(ref); err == nil && !verifies(want, body) {
		return engine.RemoteManifest{}, mismatch("manifest", want, got)
	} else if err == nil {
		got = want
	} else if said, err := imageformat.ParseDigest(resp.Header.Get("Docker-Content-Digest")); err == nil && !verifies(said, body) {
		return engine.RemoteManifest{}, mismatch("manifest", said, got)
	}
	return engine.RemoteManifest{MediaType: mediaType(resp), Digest: got.String(), Size: int64(len(body)), Body: body}, nil
}

func manifestHeader() http.Header {
	return http.Header{"Accept": {strings.Join(append(imageformat.Accept(), "*/*"), ", ")}}
}

// Tags lists the tags of a repository.
func (c *Client) Tags(ctx context.Context, r engine.Remote) ([]string, error) {
	var all []string
	err := c.each(ctx, r, rightPull, func(s *session) error {
		all = nil
		next := s.url("tags/list")
		for next != nil {
			page, err := c.tagsPage(ctx, s, next)
			if err != nil {
				return err
			}
			if all = append(all, page.tags...); len(all) > maxTags {
				return invalidf("repository %s lists more than %d tags", r.Repository, maxTags)
			}
			if len(page.tags) == 0 {
				break // a page without progress could go on for ever
			}
			next = page.next
		}
		return nil
	})
	return all, err
}

type tagsPage struct {
	tags []string
	next *url.URL
}

func (c *Client) tagsPage(ctx context.Context, s *session, at *url.URL) (tagsPage, error) {
	resp, err := c.send(ctx, s, http.MethodGet, at, nil, requestLimit)
	if err != nil {
		return tagsPage{}, err
	}
	defer resp.Body.Close()
	if err := check(resp, http.StatusOK); err != nil {
		return tagsPage{}, err
	}
	body, err := readBounded(resp.Body, maxTagsPage, "list of tags")
	if err != nil {
		return tagsPage{}, err
	}
	var doc struct {
		Tags []string `json:"tags"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return tagsPage{}, invalidf("list of tags: %w", err)
	}
	return tagsPage{tags: doc.Tags, next: nextPage(at, resp.Header.Get("Link"))}, nil
}

// nextPage reads a Link header: </v2/x/tags/list?last=b>; rel="next". A page on another host is not followed.
func nextPage(at *url.URL, link string) *url.URL {
	target, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
	if !ok || !strings.Contains(rest, `rel="next"`) && !strings.Contains(rest, "rel=next") {
		return nil
	}
	next, err := at.Parse(target)
	if err != nil || next.Host != at.Host {
		return nil
	}
	return next
}

// PutManifest stores a manifest or index under a tag or digest.
func (c *Client) PutManifest(ctx context.Context, r engine.Remote, ref, mediaType string, body []byte) error {
	return c.each(ctx, r, rightPush, func(s *session) error {
		ctx, cancel := context.WithTimeout(ctx, commitTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url("manifests/"+ref).String(), strings.NewReader(string(body)))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", mediaType)
		resp, err := s.client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return check(resp, http.StatusCreated, http.StatusOK, http.StatusAccepted)
	})
}

// send makes one request without a body. The limit ends it whatever flows; zero is none.
func (c *Client) send(ctx context.Context, s *session, method string, at *url.URL, header http.Header, limit time.Duration) (*http.Response, error) {
	cancel := context.CancelFunc(func() {})
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), nil)
	if err != nil {
		cancel()
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := s.client.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &closing{resp.Body, cancel}
	return resp, nil
}

// closing ends a request's context with its body.
type closing struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (c *closing) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}

// readBounded reads a whole answer of at most limit bytes.
func readBounded(r io.Reader, limit int64, what string) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, invalidf("the registry's %s is larger than %d bytes", what, limit)
	}
	return body, nil
}

func mediaType(resp *http.Response) string {
	mt, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(mt))
}

func verifies(want digest.Digest, body []byte) bool { return want.Algorithm().FromBytes(body) == want }

func mismatch(what string, want, got digest.Digest) error {
	return &engine.Error{
		Kind: engine.Unavailable, Resource: engine.ResourceRegistry,
		Err: fmt.Errorf("%s verification failed for digest %s: the registry sent %s", what, want, got),
	}
}

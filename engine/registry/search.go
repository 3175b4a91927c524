package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Search limits, as Docker has them.
const (
	defaultHits  = 25
	maxHits      = 100
	maxHitsBytes = 4 << 20
)

// Search asks a registry's index for repositories: Docker Hub's, or that of the registry which the term begins with
// ("localhost:5000/word"). The protocol is Docker's /v1/search. limit 0 is 25.
func (c *Client) Search(ctx context.Context, term string, limit int, auth engine.Credentials) ([]engine.SearchResult, error) {
	if strings.Contains(term, "://") {
		return nil, invalidf("invalid repository name: repository name (%s) should not have a scheme", term)
	}
	if limit == 0 {
		limit = defaultHits
	}
	if limit < 1 || limit > maxHits {
		return nil, invalidf("limit %d is outside the range of [1, %d]", limit, maxHits)
	}
	bases, ep, word, err := c.searchBase(term)
	if err != nil {
		return nil, err
	}
	for _, base := range bases {
		var hits []engine.SearchResult
		hits, err = c.searchAt(ctx, base, ep, word, limit, auth)
		if err == nil || ctx.Err() != nil {
			return hits, err
		}
	}
	return nil, searchError(err, ep)
}

// searchBase splits the term into the place to ask and the word to ask for.
func (c *Client) searchBase(term string) (bases []*url.URL, ep endpoint, word string, err error) {
	domain, rest, ok := strings.Cut(term, "/")
	if !ok || !strings.ContainsAny(domain, ".:") && domain != "localhost" {
		domain, rest = hubDomain, term
	}
	if normalizeServer(domain) == hubDomain {
		base, err := url.Parse(c.cfg.SearchURL)
		if err != nil {
			return nil, ep, "", invalidf("search URL %q: %w", c.cfg.SearchURL, err)
		}
		ep = endpoint{base: *base, key: hubDomain, insecure: base.Scheme == "http"}
		return []*url.URL{base}, ep, strings.TrimPrefix(rest, "library/"), nil
	}
	eps, err := c.endpoints(domain, false)
	if err != nil {
		return nil, ep, "", err
	}
	ep = eps[0]
	secure := ep.base
	bases = []*url.URL{&secure}
	if ep.insecure && secure.Scheme == "https" {
		plain := secure
		plain.Scheme = "http"
		bases = append(bases, &plain)
	}
	return bases, ep, rest, nil
}

func (c *Client) searchAt(ctx context.Context, base *url.URL, ep endpoint, word string, limit int, auth engine.Credentials) ([]engine.SearchResult, error) {
	pool, err := c.transport(base.Host, ep.insecure)
	if err != nil {
		return nil, err
	}
	at := *base
	at.Path = strings.TrimSuffix(strings.TrimSuffix(at.Path, "/"), "/v1") + "/v1/search"
	at.RawQuery = url.Values{"q": {word}, "n": {strconv.Itoa(limit)}}.Encode()
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	if auth, err = c.credentials(ep, auth); err != nil {
		return nil, err
	}
	if auth.Username != "" && auth.Password != "" && (base.Scheme == "https" || ep.insecure) {
		req.SetBasicAuth(auth.Username, auth.Password)
	}
	client := &http.Client{Transport: &guard{next: pool, ep: ep, idle: c.cfg.IdleTimeout, agent: c.cfg.UserAgent}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said := &worded{text: fmt.Sprintf("Unexpected status code %d", resp.StatusCode)} // Docker's words
		return nil, &engine.Error{Kind: engine.Internal, Resource: engine.ResourceRegistry, ID: ep.key, Err: said}
	}
	body, err := readBounded(resp.Body, maxHitsBytes, "list of hits")
	if err != nil {
		return nil, err
	}
	return parseHits(body)
}

func parseHits(body []byte) ([]engine.SearchResult, error) {
	var doc struct {
		Results []struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			Stars       int    `json:"star_count"`
			Official    bool   `json:"is_official"`
		} `json:"results"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, &engine.Error{Kind: engine.Internal, Resource: engine.ResourceRegistry, Err: fmt.Errorf("error decoding registry search results: %w", err)}
	}
	hits := make([]engine.SearchResult, len(doc.Results))
	for i, r := range doc.Results {
		hits[i] = engine.SearchResult{Name: r.Name, Description: r.Description, Stars: r.Stars, Official: r.Official}
	}
	return hits, nil
}

func searchError(err error, ep endpoint) error {
	var known *engine.Error
	if errors.As(err, &known) {
		return err
	}
	return &engine.Error{Kind: engine.Internal, Resource: engine.ResourceRegistry, ID: ep.key, Err: err}
}

package dockerapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

var made = time.Date(2026, 11, 23, 13, 0, 0, 5, time.UTC)

// imagesInMemory keeps images by name and knows one registry.
type imagesInMemory struct {
	mu     sync.Mutex
	images map[string]engine.Image // by familiar name with tag
	remote map[string]engine.Image // what the registry has
	auth   engine.Credentials      // of the last request
	got    []byte                  // the last body
	query  engine.ImageQuery
	prune  engine.PruneQuery
	commit engine.CommitRequest
	broken error // ends a transfer half-way
}

func noImage(ref string) error {
	return &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceImage, ID: ref}
}

func familiar(ref string) string {
	ref = strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
	if !strings.Contains(ref, ":") {
		ref += ":latest"
	}
	return ref
}

func (m *imagesInMemory) find(ref string) (engine.Image, error) {
	for name, i := range m.images {
		if name == familiar(ref) || string(i.ID) == ref {
			return i, nil
		}
	}
	return engine.Image{}, noImage(familiar(ref))
}

func (m *imagesInMemory) Pull(_ context.Context, req engine.PullRequest, report engine.ProgressFunc) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.auth = req.Auth
	name := familiar(req.Ref)
	repo, tag, _ := strings.Cut(name, ":")
	i, ok := m.remote[name]
	if !ok {
		return &engine.Error{Op: "pull", Kind: engine.NotFound, Resource: engine.ResourceImage, ID: name, Reason: engine.ReasonPullDenied, Args: []string{repo}}
	}
	report(engine.Progress{ID: tag, Status: "Pulling from library/" + repo})
	report(engine.Progress{ID: "716d801f842f", Status: "Downloading", Current: 5, Total: 10})
	if m.broken != nil {
		return m.broken
	}
	report(engine.Progress{ID: "716d801f842f", Status: "Pull complete"})
	m.images[name] = i
	report(engine.Progress{Status: "Status: Downloaded newer image for " + name})
	return nil
}

func (m *imagesInMemory) Push(_ context.Context, req engine.PushRequest, report engine.ProgressFunc) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.auth = req.Auth
	report(engine.Progress{Status: "The push refers to repository [docker.io/library/" + strings.Split(req.Ref, ":")[0] + "]"})
	i, err := m.find(req.Ref)
	if err != nil {
		return fmt.Errorf("An image does not exist locally with the tag: %s", strings.Split(req.Ref, ":")[0]) //nolint:staticcheck // Docker's words
	}
	m.remote[req.Ref] = i
	report(engine.Progress{Aux: &engine.ProgressAux{Tag: "1", Digest: "sha256:ab", Size: 528}})
	return nil
}

func (m *imagesInMemory) Load(_ context.Context, tar io.Reader, _ *engine.Platform, report engine.ProgressFunc) error {
	body, err := io.ReadAll(tar)
	if err != nil {
		return err
	}
	name, ok := strings.CutPrefix(string(body), "tar of ")
	if !ok {
		return errors.New("unexpected EOF")
	}
	report(engine.Progress{ID: "716d801f842f", Status: "Loading layer", Current: 1, Total: 2})
	report(engine.Progress{Stream: "Loaded image: " + name + "\n"})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images[name] = engine.Image{ID: "sha256:loaded"}
	return nil
}

func (m *imagesInMemory) CanSave(_ context.Context, refs []string, _ *engine.Platform) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ref := range refs {
		if _, err := m.find(ref); err != nil {
			return err
		}
	}
	return nil
}

func (m *imagesInMemory) Save(_ context.Context, refs []string, _ *engine.Platform, w io.Writer) error {
	if _, err := io.WriteString(w, "tar of "+strings.Join(refs, " ")); err != nil {
		return err
	}
	return m.broken
}

func (m *imagesInMemory) Import(_ context.Context, req engine.ImportRequest, tar io.Reader) (engine.ImageID, error) {
	body, err := io.ReadAll(tar)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got = body
	m.images[req.Ref] = engine.Image{ID: "sha256:imported", Comment: req.Message}
	return "sha256:imported", nil
}

func (m *imagesInMemory) Commit(_ context.Context, req engine.CommitRequest) (engine.ImageID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commit = req
	if req.Container != "web" {
		return "", &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: req.Container}
	}
	return "sha256:committed", nil
}

func (m *imagesInMemory) Search(_ context.Context, term string, limit int, auth engine.Credentials) ([]engine.SearchResult, error) {
	m.auth = auth
	var out []engine.SearchResult
	for n := range min(limit, 3) {
		out = append(out, engine.SearchResult{Name: fmt.Sprintf("%s%d", term, n), Stars: n * 10, Official: n == 0})
	}
	return out, nil
}

func (m *imagesInMemory) Distribution(_ context.Context, ref string, auth engine.Credentials) (engine.Distribution, error) {
	m.auth = auth
	if _, ok := m.remote[familiar(ref)]; !ok {
		return engine.Distribution{}, &engine.Error{Kind: engine.Unauthorized, Resource: engine.ResourceRegistry, Err: errors.New("unauthorized: authentication required")}
	}
	return engine.Distribution{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: "sha256:ab", Size: 7, Platforms: []engine.Platform{{OS: "freebsd", Architecture: "amd64"}}}, nil
}

func (m *imagesInMemory) Login(_ context.Context, c engine.Credentials) (string, error) {
	if c.Password != "right" {
		return "", &engine.Error{Kind: engine.Unauthorized, Resource: engine.ResourceRegistry, ID: c.ServerAddress, Err: errors.New("unauthorized: incorrect username or password")}
	}
	return "token", nil
}

func (m *imagesInMemory) List(_ context.Context, q engine.ImageQuery) ([]engine.ImageSummary, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.query = q
	var out []engine.ImageSummary
	for _, name := range slices.Sorted(maps.Keys(m.images)) {
		i := m.images[name]
		i.Tags = []string{name}
		out = append(out, engine.ImageSummary{Image: i, SharedSize: -1})
	}
	return out, nil
}

func (m *imagesInMemory) Inspect(_ context.Context, ref string, p *engine.Platform) (engine.Image, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, err := m.find(ref)
	if err == nil && p != nil && *p != i.Platform {
		err = &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceImage, ID: ref, Reason: engine.ReasonNoPlatform, Args: []string{p.String(), i.Platform.String()}}
	}
	return i, err
}

func (m *imagesInMemory) History(_ context.Context, ref string, _ *engine.Platform) ([]engine.HistoryEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, err := m.find(ref)
	return []engine.HistoryEntry{{ID: i.ID, Created: made, Tags: []string{ref}}, {CreatedBy: "RUN x", Created: made, Size: 5}}, err
}

func (m *imagesInMemory) Tag(_ context.Context, ref, target string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, err := m.find(ref)
	if err == nil {
		m.images[target] = i
	}
	return err
}

func (m *imagesInMemory) Remove(_ context.Context, ref string, how engine.ImageRemoval) ([]engine.ImageDeleted, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, err := m.find(ref)
	if err != nil {
		return nil, err
	}
	if familiar(ref) == "used:latest" && !how.Force {
		return nil, &engine.Error{Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceImage, ID: ref, Reason: engine.ReasonInUse, Args: []string{strings.Repeat("c", 64), "sha256:" + strings.Repeat("a", 64)}}
	}
	delete(m.images, familiar(ref))
	return []engine.ImageDeleted{{Untagged: familiar(ref)}, {Deleted: string(i.ID)}}, nil
}

func (m *imagesInMemory) Prune(_ context.Context, q engine.PruneQuery) ([]engine.ImageDeleted, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prune = q
	return []engine.ImageDeleted{{Deleted: "sha256:old"}}, 42, nil
}

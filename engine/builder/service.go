package builder

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
)

// Config joins the service with what it needs. Every member must be set but Log, Runner and Failpoint.
type Config struct {
	Dir        string // for contexts of running builds and for cache mounts; made if it is not there
	Host       engine.Platform
	Images     Images
	Containers Containers
	Roots      Roots
	Files      Files
	Web        Web
	Store      Store
	Events     Events
	Runner     runner.Runner // executes git; nil is the host's
	Log        *slog.Logger
	Failpoint  func(step string) // is told of the steps of a build; nil: nobody is. Tests end the daemon there
}

// Service builds images. It is safe for concurrent use.
type Service struct {
	Config
	cache  *cache
	mounts *cacheMounts
	sums   *sums // of what layers hold

	mu      sync.Mutex
	running map[string]context.CancelFunc // by the builds' ids
}

// New opens the builder below cfg.Dir and removes what builds of an earlier daemon left there.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Failpoint == nil {
		cfg.Failpoint = func(string) {}
	}
	if cfg.Runner == nil {
		cfg.Runner = runner.Host{}
	}
	s := &Service{Config: cfg, running: map[string]context.CancelFunc{}, sums: newSums(), mounts: newCacheMounts(filepath.Join(cfg.Dir, "mounts"))}
	if err := os.RemoveAll(s.workDir()); err != nil {
		return nil, fmt.Errorf("remove what builds left: %w", err)
	}
	for _, dir := range []string{s.workDir(), s.mounts.dir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	entries, err := cfg.Store.BuildCache(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the build cache: %w", err)
	}
	s.cache = newCache(cfg.Store, entries)
	return s, nil
}

func (s *Service) workDir() string { return filepath.Join(s.Dir, "running") }

// Build makes an image and returns its id. What it tells comes through report, from one goroutine at a time. After an error
// nothing of the build is left but the steps that it finished, in the cache. The end of ctx ends the build.
func (s *Service) Build(ctx context.Context, req engine.BuildRequest, report engine.BuildFunc) (engine.ImageID, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if req.ID != "" {
		if !s.enlist(req.ID, cancel) {
			return "", &engine.Error{Op: "build", Kind: engine.Conflict, Resource: engine.ResourceBuild, ID: req.ID, Err: fmt.Errorf("build with ID %s exists", req.ID)}
		}
		defer s.delist(req.ID)
	}
	names, err := checkTags(req.Tags)
	if err != nil {
		return "", err
	}
	b := &build{s: s, req: req, report: report}
	defer b.close(ctx)
	id, err := b.run(ctx, names)
	if err != nil {
		return "", wrap(ctx, err)
	}
	return id, nil
}

// Cancel ends a running build. One that is not running has ended already.
func (s *Service) Cancel(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[id]; cancel != nil {
		cancel()
	}
	return nil
}

func (s *Service) enlist(id string, cancel context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[id] != nil {
		return false
	}
	s.running[id] = cancel
	return true
}

func (s *Service) delist(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, id)
}

func now() time.Time { return time.Now().UTC() }

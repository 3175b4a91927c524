package images

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xcengine/xc/engine"
)

// Config joins the service with what it needs.
type Config struct {
	Dir        string // for blobs; made if it is not there
	Host       engine.Platform
	Store      Store
	Layers     Layers
	Containers Containers // may be given later: UseContainers
	Events     Events
	Registry   Registry
	Version    string // written into images that are made here
	// MaxDownloads and MaxUploads bound what is transferred at once, over all pulls and pushes; default 3 and 5.
	MaxDownloads, MaxUploads int
	// RetryTick is the second of "Retrying in N seconds"; default one.
	RetryTick time.Duration
	Log       *slog.Logger
}

// Service keeps images. It is safe for concurrent use.
type Service struct {
	cfg        Config
	log        *slog.Logger
	blobs      blobs
	index      *index
	holds      *holds
	transfers  *transfers
	uploads    *gate
	containers Containers

	write   sync.Mutex             // around every change of store and index
	kept    map[engine.ImageID]int // by Hold; guarded by write
	pruning atomic.Bool
}

// New opens the store of images below cfg.Dir and reads what is known of them. It neither reaches the network nor changes
// layers: see Collect.
func New(cfg Config) (*Service, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxDownloads <= 0 {
		cfg.MaxDownloads = 3
	}
	if cfg.MaxUploads <= 0 {
		cfg.MaxUploads = 5
	}
	if cfg.RetryTick <= 0 {
		cfg.RetryTick = time.Second
	}
	kept, err := openBlobs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the blobs of images: %w", err)
	}
	s := &Service{
		cfg: cfg, log: cfg.Log, blobs: kept, index: newIndex(), holds: newHolds(), uploads: newGate(cfg.MaxUploads), containers: cfg.Containers,
		kept: map[engine.ImageID]int{},
	}
	s.transfers = &transfers{
		blobs: kept, source: cfg.Registry, layers: cfg.Layers, log: cfg.Log, tick: cfg.RetryTick,
		slots: newGate(cfg.MaxDownloads), unpackers: newGate(max(2, runtime.NumCPU())),
		downloads: map[blobDigest]*download{}, ending: map[blobDigest]*download{}, jobs: map[jobKey]*job{},
	}
	if in, ok := cfg.Layers.(Independent); ok {
		s.transfers.independent = in.Independent()
	}
	return s, s.load(context.Background())
}

// UseContainers tells who uses images, for a daemon whose containers need this service first. It must be called before any
// request.
func (s *Service) UseContainers(c Containers) { s.containers = c }

func (s *Service) load(ctx context.Context) error {
	state, err := s.cfg.Store.ImageState(ctx)
	if err != nil {
		return fmt.Errorf("read what is known of images: %w", err)
	}
	entries := map[engine.ImageID]*entry{}
	for _, rec := range state.Images {
		e, err := newEntry(rec)
		if err != nil {
			// One bad record must not take the others along.
			s.log.Error("an image's configuration cannot be read", "image", rec.ID, "error", err)
			continue
		}
		entries[rec.ID] = e
	}
	// The newest name of several platforms comes last.
	slices.SortStableFunc(state.Names, func(a, b engine.ImageName) int { return a.Set.Compare(b.Set) })
	s.index.apply(engine.ImageChange{PutNames: state.Names, PutBlobs: state.Blobs}, entries)
	return nil
}

// change builds one change of store and memory while nothing else changes them, and makes it.
func (s *Service) change(ctx context.Context, build func(*engine.ImageChange) error) error {
	s.write.Lock()
	defer s.write.Unlock()
	return s.changeLocked(ctx, build)
}

func (s *Service) changeLocked(ctx context.Context, build func(*engine.ImageChange) error) error {
	var c engine.ImageChange
	if err := build(&c); err != nil {
		return err
	}
	entries := map[engine.ImageID]*entry{}
	for _, rec := range c.Put {
		e, ok := s.index.get(rec.ID)
		if ok {
			e = e.withRecord(rec)
		} else {
			var err error
			if e, err = newEntry(rec); err != nil {
				return err
			}
		}
		entries[rec.ID] = e
	}
	if err := s.cfg.Store.ChangeImages(ctx, c); err != nil {
		return err
	}
	s.index.apply(c, entries)
	return nil
}

// Close waits for what was begun to end; who runs requests ends them first.
func (s *Service) Close() { s.transfers.wait() }

// publish tells what happened to an image, with its labels.
func (s *Service) publish(action, id, name string, e *entry) {
	attributes := map[string]string{}
	if e != nil {
		for k, v := range e.img.Config.Labels {
			attributes[k] = v
		}
	}
	if name != "" {
		attributes["name"] = name
	}
	s.cfg.Events.Publish(engine.Event{Time: now(), Type: engine.EventImage, Action: action, ID: id, Attributes: attributes})
}

// users returns the containers made of an image.
func (s *Service) users(ctx context.Context, id engine.ImageID) ([]engine.Container, error) {
	if s.containers == nil {
		return nil, nil
	}
	return s.containers.ImageUsers(ctx, id)
}

// wrap gives an error the operation and the image that it is about, unless it says so itself.
func wrap(op, ref string, err error) error {
	if err == nil {
		return nil
	}
	if own, ok := err.(*engine.Error); ok { //nolint:errorlint // only the outermost is ours to complete
		if own.Op != "" {
			return err
		}
		named := *own
		if named.Op = op; named.ID == "" {
			named.ID = ref
		}
		return &named
	}
	kind := engine.KindOf(err)
	if kind == engine.Internal {
		kind = kindOfCause(err)
	}
	return imageError(op, kind, ref, err)
}

// now is the time to be written into records and images: without the part of it that only this process understands.
func now() time.Time { return time.Now().UTC() }

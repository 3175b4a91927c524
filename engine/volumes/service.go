package volumes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xcengine/xc/engine"
)

const (
	dataDir  = "_data"
	stageDir = "_copy" // a copy-up on its way
)

// Config is what a Service is made of. All members are needed; Containers may be set after Open, before the first call.
type Config struct {
	Dir        string // holds one directory per volume; made if absent
	Store      Store
	Containers Containers
	Mounter    Mounter
	Events     Events
	Log        *slog.Logger
}

// Service keeps the volumes. Its methods are safe for concurrent use.
type Service struct {
	Config
	locks   locks // by volume name: steps that make, mount, fill or remove
	pruning atomic.Bool

	mu      sync.RWMutex
	records map[string]engine.VolumeRecord // values are replaced, never changed
}

// Open reads the records and finishes what a crash interrupted. A volume that cannot be put right is logged and stays as it
// is; it does not keep the others from working.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	if err := os.MkdirAll(cfg.Dir, 0o701); err != nil {
		return nil, err
	}
	records, err := cfg.Store.Volumes(ctx)
	if err != nil {
		return nil, err
	}
	s := &Service{Config: cfg, locks: locks{names: map[string]*lock{}}, records: map[string]engine.VolumeRecord{}}
	for _, rec := range records {
		s.records[rec.Name] = rec
	}
	for _, rec := range records {
		if err := s.settle(ctx, rec); err != nil {
			s.Log.WarnContext(ctx, "a volume could not be put right", "volume", rec.Name, "error", err)
		}
	}
	return s, nil
}

// settle finishes a removal, a creation or a copy-up that was begun.
func (s *Service) settle(ctx context.Context, rec engine.VolumeRecord) error {
	if rec.Removing {
		return s.erase(ctx, rec)
	}
	if err := s.makeDirs(rec.Name); err != nil {
		return err
	}
	if needsMount(rec.Volume) {
		return nil // its copy-up is finished, or begun anew, when it is mounted again
	}
	return s.settleCopy(ctx, rec)
}

// Recover drops the users of mounted volumes that do not run any more, and unmounts what has none left.
func (s *Service) Recover(ctx context.Context, running []engine.ContainerID) error {
	var errs []error
	for _, rec := range s.all() {
		if !needsMount(rec.Volume) || rec.Removing {
			continue
		}
		for _, user := range rec.Users {
			if !slices.Contains(running, user) {
				errs = append(errs, s.Unmount(ctx, rec.Name, user))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Service) dir(name string) string { return filepath.Join(s.Dir, name) }

func (s *Service) data(name string) string { return filepath.Join(s.Dir, name, dataDir) }

func (s *Service) lookup(name string) (engine.VolumeRecord, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rec, ok := s.records[name]
	return rec, ok
}

// all returns every record, sorted by name.
func (s *Service) all() []engine.VolumeRecord {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.records), func(a, b engine.VolumeRecord) int { return cmp.Compare(a.Name, b.Name) })
}

// put writes a record, to the store first.
func (s *Service) put(ctx context.Context, rec engine.VolumeRecord) error {
	if err := s.Store.PutVolume(ctx, rec); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[rec.Name] = rec
	return nil
}

// forget deletes a record, from the store first.
func (s *Service) forget(ctx context.Context, name string) error {
	if err := s.Store.DeleteVolume(ctx, name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, name)
	return nil
}

func (s *Service) publish(action, name string) {
	s.Events.Publish(engine.Event{Type: engine.EventVolume, Action: action, ID: name, Attributes: map[string]string{"driver": driverName}})
}

// Ensure is Create.
func (s *Service) Ensure(ctx context.Context, req engine.VolumeRequest) (engine.Volume, error) {
	return s.Create(ctx, req)
}

// Create makes a volume. One of that name that is there already is returned as it is. Without a name it is anonymous.
func (s *Service) Create(ctx context.Context, req engine.VolumeRequest) (engine.Volume, error) {
	if req.Name == "" {
		req.Name, req.Anonymous = engine.NewID(), true
	}
	if err := check(req); err != nil {
		return engine.Volume{}, err
	}
	release, err := s.locks.take(ctx, req.Name)
	if err != nil {
		return engine.Volume{}, err
	}
	defer release()
	if rec, ok := s.lookup(req.Name); ok {
		if !rec.Removing {
			return hand(rec.Volume), nil
		}
		if err := s.erase(ctx, rec); err != nil {
			return engine.Volume{}, fault("create", req.Name, err)
		}
	}
	rec := engine.VolumeRecord{Volume: s.plan(req)}
	if err := s.make(ctx, rec); err != nil {
		return engine.Volume{}, fault("create", req.Name, err)
	}
	s.publish("create", rec.Name)
	return hand(rec.Volume), nil
}

// plan turns a checked request into a volume.
func (s *Service) plan(req engine.VolumeRequest) engine.Volume {
	v := engine.Volume{
		Name: req.Name, Driver: driverName, Mountpoint: s.data(req.Name), Created: time.Now().UTC().Round(0),
		Labels: maps.Clone(req.Labels), Options: maps.Clone(req.Options), Anonymous: req.Anonymous,
	}
	if _, labelled := v.Labels[anonymousLabel]; labelled {
		v.Anonymous = true
	} else if v.Anonymous {
		if v.Labels == nil {
			v.Labels = map[string]string{}
		}
		v.Labels[anonymousLabel] = ""
	}
	return v
}

// make writes the record and makes the directories; after an error nothing of them remains.
func (s *Service) make(ctx context.Context, rec engine.VolumeRecord) error {
	if err := s.put(ctx, rec); err != nil {
		return err
	}
	err := s.makeDirs(rec.Name)
	if err == nil {
		return nil
	}
	// Only what is empty goes: a directory that was there before stays with what it holds.
	_ = os.Remove(s.data(rec.Name))
	_ = os.Remove(s.dir(rec.Name))
	return errors.Join(err, s.forget(context.WithoutCancel(ctx), rec.Name))
}

// makeDirs makes a volume's directories with dockerd's modes; what is there stays as it is.
func (s *Service) makeDirs(name string) error {
	for _, d := range []struct {
		path string
		mode fs.FileMode
	}{{s.dir(name), 0o701}, {s.data(name), 0o755}} {
		err := os.Mkdir(d.path, d.mode)
		if err == nil {
			err = os.Chmod(d.path, d.mode) // whatever the umask is
		} else if info, statErr := os.Stat(d.path); statErr == nil && info.IsDir() {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hand returns a copy that the caller may change.
func hand(v engine.Volume) engine.Volume {
	v.Labels, v.Options = maps.Clone(v.Labels), maps.Clone(v.Options)
	return v
}

// fault says which step on a volume failed, in the form of dockerd's volume store. Errors that are the engine's stay.
func fault(op, name string, err error) error {
	var known *engine.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &engine.Error{Kind: engine.KindOf(err), Resource: engine.ResourceVolume, ID: name, Err: fmt.Errorf("%s %s: %w", op, name, err)}
}

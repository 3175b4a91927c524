package lifecycle

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

// Config is what a Service is made of. Every member but Failpoint, Hold, Explain, HostResolv, DefaultInit and DefaultLog must be set.
type Config struct {
	Dir       string // holds one directory per container; made if absent
	StateDir  string // the daemon's: what is mounted below it must not be held by containers
	Runtime   Runtime
	Shims     Shims
	Roots     Roots
	Images    Images
	Layers    Layers
	Networks  Networks
	Volumes   Volumes
	LogReader LogReader
	Files     FileAccess
	Store     Store
	Events    Events
	Log       *slog.Logger
	// Platform is the daemon's own; images of another one get a warning.
	Platform    engine.Platform
	DefaultInit bool
	DefaultLog  engine.LogSpec
	// HostResolv is the host's resolv.conf(5); empty is /etc/resolv.conf.
	HostResolv string
	// Explain says in a sentence for clients why a start failed; nil: the error's own text.
	Explain func(error) string
	// Hold starts nothing by restart policy: the daemon has come to end what runs.
	Hold bool
	// Failpoint, when set, is called before each step of a long operation with the step's name. Tests kill there.
	Failpoint func(step string)
}

// Service keeps the containers. Its methods are safe for concurrent use.
type Service struct {
	Config
	life     context.Context // ends with Close; for what outlives the request that began it
	stop     context.CancelFunc
	watchers sync.WaitGroup

	mu    sync.RWMutex
	units map[engine.ContainerID]*unit
	names map[string]engine.ContainerID
	execs map[engine.ExecID]*unit
	// making are containers that are being created: nobody sees them, but what they need must not be taken away.
	making map[engine.ContainerID]engine.Container
	// linkers are who links to a container, by its id.
	linkers map[string]map[engine.ContainerID]bool
	// groups are who is in a network's group.
	groups map[string]map[engine.ContainerID]bool
}

// New makes a Service without containers; Recover brings them.
func New(cfg Config) *Service {
	if cfg.Failpoint == nil {
		cfg.Failpoint = func(string) {}
	}
	if cfg.Explain == nil {
		cfg.Explain = error.Error
	}
	if cfg.HostResolv == "" {
		cfg.HostResolv = "/etc/resolv.conf"
	}
	if cfg.DefaultLog.Driver == "" {
		cfg.DefaultLog.Driver = "json-file"
	}
	life, stop := context.WithCancel(context.Background())
	return &Service{
		Config: cfg, life: life, stop: stop,
		units: map[engine.ContainerID]*unit{}, names: map[string]engine.ContainerID{}, execs: map[engine.ExecID]*unit{},
		making: map[engine.ContainerID]engine.Container{}, linkers: map[string]map[engine.ContainerID]bool{},
		groups: map[string]map[engine.ContainerID]bool{},
	}
}

// Close ends the watching of containers, which run on, and waits until nothing more is written.
func (s *Service) Close() {
	s.stop()
	s.watchers.Wait()
}

// goes runs f until it returns; Close waits for it.
func (s *Service) goes(f func(ctx context.Context)) {
	s.watchers.Add(1)
	go func() {
		defer s.watchers.Done()
		f(s.life)
	}()
}

func (s *Service) dir(id engine.ContainerID) string { return filepath.Join(s.Dir, string(id)) }

// lookup finds a container by its full id, its name or an id prefix that fits no other, in this order.
func (s *Service) lookup(ref string) (*unit, error) {
	name := strings.TrimPrefix(ref, "/")
	if owner, alias, ok := strings.Cut(name, "/"); ok {
		return s.lookupLink(owner, alias)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if u, ok := s.units[engine.ContainerID(name)]; ok {
		return u, nil
	}
	if id, ok := s.names[name]; ok {
		if u, made := s.units[id]; made {
			return u, nil
		}
		return nil, noSuch(ref) // its name is taken, but it is not made yet
	}
	var found *unit
	for id, u := range s.units {
		if name == "" || !strings.HasPrefix(string(id), name) {
			continue
		}
		if found != nil {
			return nil, &engine.Error{Op: "find", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonAmbiguous}
		}
		found = u
	}
	if found == nil {
		return nil, noSuch(ref)
	}
	return found, nil
}

func noSuch(ref string) error {
	return &engine.Error{Op: "find", Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: ref}
}

// operate finds a container and takes its operation lock. The returned function gives the lock back.
func (s *Service) operate(ctx context.Context, ref string) (*unit, func(), error) {
	u, err := s.lookup(ref)
	if err != nil {
		return nil, nil, err
	}
	if err := u.op.lock(ctx); err != nil {
		return nil, nil, err
	}
	u.mu.Lock()
	gone := u.gone
	u.mu.Unlock()
	if gone {
		u.op.unlock()
		return nil, nil, noSuch(ref)
	}
	return u, u.op.unlock, nil
}

// move is the only writer of a container's state: it checks the table, applies edit, writes the record and tells the
// waiters. The intent is cleared unless edit sets one.
func (s *Service) move(ctx context.Context, op string, u *unit, to engine.State, edit func(*engine.Container)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := checkMove(op, u.rec, to); err != nil {
		return err
	}
	return s.write(ctx, op, u, func(c *engine.Container) {
		c.Status.State, c.Status.Intent = to, engine.IntentNone
		if edit != nil {
			edit(c)
		}
	})
}

// intend writes an intent without changing the state.
func (s *Service) intend(ctx context.Context, op string, u *unit, what engine.Intent) error {
	return s.edit(ctx, op, u, func(c *engine.Container) { c.Status.Intent = what })
}

// edit changes a record but not its state.
func (s *Service) edit(ctx context.Context, op string, u *unit, change func(*engine.Container)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return s.write(ctx, op, u, change)
}

// write changes a record and tells the waiters. A new intent that cannot be written is an error and nothing changes; a
// fact stands even so, and is written with the next one. The caller holds u.mu.
func (s *Service) write(ctx context.Context, op string, u *unit, change func(*engine.Container)) error {
	if u.gone {
		return noSuch(string(u.rec.ID))
	}
	next := u.rec
	change(&next)
	if err := s.Store.PutContainer(context.WithoutCancel(ctx), next); err != nil {
		if engine.KindOf(err) != engine.Internal || next.Status.Intent != u.rec.Status.Intent && next.Status.Intent != engine.IntentNone {
			return &engine.Error{Op: op, Kind: engine.KindOf(err), Resource: engine.ResourceContainer, ID: next.Name, Err: err}
		}
		s.Log.ErrorContext(ctx, "record not written", "container", next.ID, "state", next.Status.State, "error", err)
	}
	u.rec = next
	u.tellWaiters()
	return nil
}

func now() time.Time { return time.Now().UTC() }

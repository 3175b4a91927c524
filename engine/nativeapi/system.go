package nativeapi

import (
	"context"
	"fmt"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// System is the daemon as a whole.
type System interface {
	Info(ctx context.Context) (engine.Info, error)
	// Subscribe returns the recorded events that match and, unless the query's end is past, a channel of those to come. stop
	// ends it; the channel is closed when the subscriber falls too far behind or the query's end is reached.
	Subscribe(ctx context.Context, q engine.EventQuery) (past []engine.Event, live <-chan engine.Event, stop func(), err error)
}

func (s *Server) info(ctx context.Context, c *call) error {
	i, err := s.cfg.System.Info(ctx)
	if err != nil {
		return err
	}
	return c.answer(wire.Info{
		Version: i.Version, StateDir: i.StateDir, StorageDriver: i.Driver, Runtime: i.Capabilities.Runtime,
		OSType: i.Capabilities.OSType, Architecture: i.Capabilities.Architecture, Kernel: i.Capabilities.KernelVersion,
		Firewall: i.FirewallBackend, Images: i.Images, Warnings: append([]string{}, i.Warnings...),
		Containers: map[string]int{"running": i.Running, "paused": i.Paused, "stopped": i.Stopped},
	})
}

// events are those since a time, and those to come until another. Without since there are none of the past, without until the
// stream goes on. Keys type, action, container, image, network, volume and label may be repeated: those of one key are
// alternatives.
func (s *Server) events(ctx context.Context, c *call) error {
	q, err := eventQuery(c)
	if err != nil {
		return err
	}
	past, live, stop, err := s.cfg.System.Subscribe(ctx, q)
	if err != nil {
		return err
	}
	defer stop()
	c.lines = true
	if err := c.begin("application/x-ndjson"); err != nil {
		return err
	}
	for _, e := range past {
		if err := line(c, event(e)); err != nil {
			return err
		}
	}
	for {
		select {
		case e, open := <-live:
			if !open {
				return nil
			}
			if err := line(c, event(e)); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func eventQuery(c *call) (q engine.EventQuery, err error) {
	v := c.URL.Query()
	for key, to := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if *to, err = instant(v.Get(key)); err != nil {
			return q, invalid(fmt.Errorf("%s: %w", key, err))
		}
	}
	for _, t := range v["type"] {
		q.Types = append(q.Types, engine.EventType(t))
	}
	q.Actions, q.Containers, q.Images, q.Networks, q.Volumes = v["action"], v["container"], v["image"], v["network"], v["volume"]
	q.Labels = labelMatches(v["label"])
	return q, nil
}

// instant reads a time; none is the zero one.
func instant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}

func event(e engine.Event) wire.Event {
	return wire.Event{Time: e.Time, Type: string(e.Type), Action: e.Action, ID: e.ID, Attributes: e.Attributes}
}

// purge removes images that have no name and are not used, and layers that nothing needs.
func (s *Server) purge(ctx context.Context, c *call) error {
	done, freed, err := s.cfg.Images.Prune(ctx, engine.PruneQuery{})
	if err != nil {
		return err
	}
	more, err := s.cfg.Images.Collect(ctx)
	if err != nil {
		return err
	}
	answer := wire.Purged{Removed: []string{}, Freed: freed + more}
	for _, d := range done {
		if d.Deleted != "" {
			answer.Removed = append(answer.Removed, d.Deleted)
		}
	}
	return c.answer(answer)
}

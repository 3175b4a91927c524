package volumes

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"

	"github.com/xcengine/xc/engine"
)

// Inspect returns a volume.
func (s *Service) Inspect(_ context.Context, name string) (engine.Volume, error) {
	rec, ok := s.lookup(name)
	if !ok {
		return engine.Volume{}, notFound("inspect", name)
	}
	return hand(rec.Volume), nil
}

func notFound(op, name string) error {
	return &engine.Error{Op: op, Kind: engine.NotFound, Resource: engine.ResourceVolume, ID: name}
}

// List returns the volumes that the query selects, sorted by name. Names are regular expressions, or whole.
func (s *Service) List(ctx context.Context, q engine.VolumeQuery) ([]engine.Volume, error) {
	var out []engine.Volume
	for _, rec := range s.all() {
		if !matchName(q.Names, rec.Name) || len(q.Drivers) > 0 && !slices.Contains(q.Drivers, rec.Driver) || !matchLabels(q.Labels, rec.Labels) {
			continue
		}
		if q.Dangling != nil {
			users, err := s.users(ctx, rec)
			if err != nil {
				return nil, err
			}
			if (len(users) == 0) != *q.Dangling {
				continue
			}
		}
		out = append(out, hand(rec.Volume))
	}
	return out, nil
}

// matchName compares as dockerd's filters do: an expression that is none matches nothing but itself.
func matchName(wanted []string, name string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool {
		if w == name {
			return true
		}
		found, err := regexp.MatchString(w, name)
		return err == nil && found
	})
}

// matchLabels reports whether every wanted label holds.
func matchLabels(wanted []engine.LabelMatch, labels map[string]string) bool {
	for _, w := range wanted {
		value, ok := labels[w.Key]
		if !ok || w.HasValue && value != w.Value {
			return false
		}
	}
	return true
}

// users returns the ids of those that keep a volume from being removed. A container whose own removal has begun does not.
func (s *Service) users(ctx context.Context, rec engine.VolumeRecord) ([]string, error) {
	containers, err := s.Containers.VolumeUsers(ctx, rec.Name)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, c := range containers {
		if c.Status.State != engine.StateRemoving {
			ids = append(ids, string(c.ID))
		}
	}
	return ids, nil
}

// Usage measures the volumes. Those with mount options are left out, as they are not of this disk.
func (s *Service) Usage(ctx context.Context) ([]engine.VolumeUsage, error) {
	var out []engine.VolumeUsage
	for _, rec := range s.all() {
		if len(rec.Options) > 0 {
			continue
		}
		users, err := s.users(ctx, rec)
		if err != nil {
			return nil, err
		}
		size, err := s.size(ctx, rec.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, engine.VolumeUsage{Volume: hand(rec.Volume), Size: size, RefCount: len(users)})
	}
	return out, nil
}

// size adds up the sizes of a volume's files as dockerd does: those of a file with several names once, directories not at
// all. It is -1 when something could not be read; the error is ctx's alone.
func (s *Service) size(ctx context.Context, name string) (int64, error) {
	type inode struct{ dev, ino uint64 }
	seen := map[inode]bool{}
	var total int64
	err := filepath.WalkDir(s.data(name), func(_ string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || e.IsDir() {
			return gone(err)
		}
		info, err := e.Info()
		if err != nil {
			return gone(err)
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
			id := inode{uint64(st.Dev), uint64(st.Ino)}
			if seen[id] {
				return nil
			}
			seen[id] = true
		}
		total += info.Size()
		return nil
	})
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		s.Log.WarnContext(ctx, "a volume could not be measured", "volume", name, "error", err)
		return -1, nil
	}
	return total, nil
}

// gone drops the error of a file that was removed after it was listed.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

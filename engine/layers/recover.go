package layers

import (
	"context"
	"slices"

	"github.com/xcengine/xc/engine"
)

// unknownBoot stands for a boot that has no name: what waits for the disk in it counts as of another boot at every start.
const unknownBoot = "unknown"

// recover reads the records, drops what a crash of the machine may have spoiled, and has the driver agree.
func (s *Store) recover(ctx context.Context) error {
	var err error
	if s.layers, err = load[engine.LayerID, layerRecord](s.layerRecords, layerIDOf); err != nil {
		return err
	}
	if s.roots, err = load[engine.ContainerID, rootRecord](s.rootRecords, rootIDOf); err != nil {
		return err
	}
	for id := range s.suspects() {
		s.log.Warn("a layer may be incomplete after a crash of the machine and is dropped", "layer", id)
		if err := s.drop(id); err != nil {
			return err
		}
	}
	// Dropping layers may leave others without a parent, so the driver is asked until both agree.
	for {
		if err := s.dropOrphans(); err != nil {
			return err
		}
		lost, err := s.driver.Recover(ctx, keys(s.layers), keys(s.roots))
		if err != nil {
			return err
		}
		if len(lost.Layers)+len(lost.Roots) == 0 {
			break
		}
		for _, id := range lost.Layers {
			s.log.Warn("a layer's files are lost", "layer", id)
			if err := s.drop(id); err != nil {
				return err
			}
		}
		for _, id := range lost.Roots {
			if err := s.rootRecords.remove(string(id)); err != nil {
				return err
			}
			delete(s.roots, id)
		}
	}
	for _, rec := range s.layers {
		s.hold(rec.Parent)
	}
	for _, rec := range s.roots {
		s.hold(rec.Top)
	}
	return nil
}

func (s *Store) drop(id engine.LayerID) error {
	delete(s.layers, id)
	return s.layerRecords.remove(string(id))
}

// suspects are layers of an earlier boot that were never synced. Those that a root stands on stay: without them the root
// would be lost for certain.
func (s *Store) suspects() map[engine.LayerID]struct{} {
	used := map[engine.LayerID]struct{}{}
	for _, rec := range s.roots {
		c, _ := s.chain(rec.Top)
		for _, id := range c {
			used[id] = struct{}{}
		}
	}
	all := map[engine.LayerID]struct{}{}
	for id, rec := range s.layers {
		if rec.Boot == "" || rec.Boot == s.boot {
			continue
		}
		if _, ok := used[id]; ok {
			s.log.Warn("a layer may be incomplete after a crash of the machine; containers stand on it", "layer", id)
			continue
		}
		all[id] = struct{}{}
	}
	return all
}

// dropOrphans drops layers whose parents are not there, where a layer holds its parents' files. Others are kept: what is
// missing below them may yet come.
func (s *Store) dropOrphans() error {
	if s.traits.Independent {
		return nil
	}
	for _, id := range keys(s.layers) {
		if _, whole := s.chain(id); !whole {
			if err := s.drop(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func keys[K ~string, V any](m map[K]V) []K {
	all := make([]K, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

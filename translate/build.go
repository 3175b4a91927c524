package translate

import (
	"strconv"
	"time"

	"github.com/docker/docker/api/types/build"

	"github.com/xcengine/xc/engine"
)

// CachePrune reads the query of a build cache prune. Bounds of size are checked and then have no effect: what of the cache no
// image needs goes whatever its size.
func CachePrune(all bool, bounds map[string]string, f Filters, now time.Time) (engine.PruneQuery, error) {
	for name, s := range bounds {
		if s == "" {
			continue
		}
		if _, err := strconv.Atoi(s); err != nil {
			return engine.PruneQuery{}, invalidf("%s is in bytes and expects an integer, got %v: %w", name, s, err)
		}
	}
	if err := f.Only("description", "id", "immutable", "inuse", "mutable", "parent", "private", "shared", "type", "until", "unused-for"); err != nil {
		return engine.PruneQuery{}, invalidf("failed to prune build cache: %s", Message(err))
	}
	until, err := f.Until(now)
	return engine.PruneQuery{All: all, Until: until}, err
}

// CachePruned answers a build cache prune.
func CachePruned(r engine.PruneResult) build.CachePruneReport {
	return build.CachePruneReport{CachesDeleted: r.Deleted, SpaceReclaimed: uint64(max(r.Reclaimed, 0))}
}

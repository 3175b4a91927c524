package images

import (
	"context"
	"errors"
	"slices"

	"github.com/xcengine/xc/engine"
)

// History returns the steps of an image's making, the newest first. Only steps that are images here have an id: the image
// itself, and the parents of one that was made here.
func (s *Service) History(_ context.Context, ref string, platform *engine.Platform) ([]engine.HistoryEntry, error) {
	e, err := s.find("history", ref, platform)
	if err != nil {
		return nil, err
	}
	var steps []engine.HistoryEntry
	layer := 0
	for _, h := range e.history {
		step := engine.HistoryEntry{CreatedBy: h.CreatedBy, Comment: h.Comment}
		if h.Created != nil {
			step.Created = *h.Created
		}
		if !h.EmptyLayer {
			if layer >= len(e.chain) {
				return nil, imageError("history", engine.Internal, ref, errors.New("too many non-empty layers in History section"))
			}
			if layer < len(e.rec.LayerSizes) {
				step.Size = e.rec.LayerSizes[layer]
			}
			layer++
		}
		steps = append(steps, step)
	}
	slices.Reverse(steps)
	for i := range steps {
		steps[i].ID = e.rec.ID
		steps[i].Tags = tagsOf(s.index.refs(e.rec.ID))
		var ok bool
		if e, ok = s.index.get(e.rec.Parent); !ok {
			break
		}
	}
	return steps, nil
}

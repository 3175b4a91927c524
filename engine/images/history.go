package images

import (
	"context"
	"errors"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
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
	history, err := s.historyOf(e)
	if err != nil {
		return nil, err
	}
	for _, h := range history {
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
	for i := 0; i < len(steps); {
		steps[i].ID = e.rec.ID
		steps[i].Tags = tagsOf(s.index.refs(e.rec.ID))
		parent, ok := s.index.get(e.rec.Parent)
		if !ok {
			break
		}
		i += max(1, e.steps-parent.steps) // several steps of a build may have made one image
		e = parent
	}
	return steps, nil
}

// historyOf reads the steps of an image's making, oldest first.
func (s *Service) historyOf(e *entry) ([]imageformat.History, error) {
	raw, err := s.document(digest.Digest(e.rec.ID))
	if err != nil {
		return nil, err
	}
	doc, err := imageformat.ParseConfig(raw)
	return doc.History, err
}

package containers

import (
	"context"
	"errors"
	"net/http"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

func (g *group) list(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	filters, err := r.Filters()
	if err != nil {
		return err
	}
	q, err := translate.ContainerQuery(translate.ListQuery{
		All: r.Bool("all"), Size: r.Bool("size"), Limit: r.Param("limit"), Before: r.Param("before"), Since: r.Param("since"), Filters: filters,
	})
	if err != nil {
		return err
	}
	rows, err := g.backend.List(ctx, q)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Summaries(rows, r.Version, g.env.Now()))
}

func (g *group) inspect(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	c, err := g.backend.Inspect(ctx, r.Var("name"))
	if err != nil {
		return err
	}
	var size *engine.RootSize
	if r.Bool("size") {
		s, err := g.backend.Size(ctx, string(c.ID))
		if err != nil {
			return err
		}
		size = &s
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Inspect(c, size, r.Version, g.env.Host))
}

func (g *group) top(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	table, err := g.backend.Top(ctx, r.Var("name"), translate.PSArgs(r.Param("ps_args")))
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Processes(table))
}

func (g *group) changes(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	list, err := g.backend.Changes(ctx, r.Var("name"))
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Changes(list))
}

// errEnough ends the engine's sampling when the answer is complete.
var errEnough = errors.New("enough samples")

// stats answers one sample, or one about every second. A single one that is not one-shot is the second of two, so that
// clients can tell a rate from it.
func (g *group) stats(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	stream := r.BoolOr("stream", true)
	oneShot := r.Bool("one-shot") && translate.OneShotStats(r.Version)
	if err := translate.CheckStats(stream, oneShot); err != nil {
		return err
	}
	var before engine.Stats
	begun := false
	err := g.backend.Stats(ctx, r.Var("name"), oneShot, func(c engine.Container, s engine.Stats) error {
		first := !begun
		begun = true
		switch {
		case stream && first:
			if err := httpx.BeginStream(w, "application/json"); err != nil {
				return err
			}
		case !stream && first && !oneShot && !s.Read.IsZero():
			before = s
			return nil
		case !stream:
			if err := httpx.WriteJSON(w, http.StatusOK, translate.Stats(c, s, before)); err != nil {
				return err
			}
			return errEnough
		}
		if err := httpx.EncodeJSON(w, translate.Stats(c, s, before)); err != nil {
			return err
		}
		before = s
		return httpx.Flush(w)
	})
	if errors.Is(err, errEnough) || ctx.Err() != nil {
		return nil
	}
	return err
}

func (g *group) resize(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	rows, cols, err := translate.Size(r.Param("h"), r.Param("w"))
	if err != nil {
		return err
	}
	if err := g.backend.Resize(ctx, r.Var("name"), rows, cols); err != nil {
		return err
	}
	return httpx.WriteStatus(w, http.StatusOK)
}

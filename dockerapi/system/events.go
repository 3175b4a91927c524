package system

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// events sends its headers at once, then what was recorded, then what comes.
func (g *group) events(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	filters, err := r.Filters()
	if err != nil {
		return err
	}
	q, err := translate.EventQuery(translate.EventsQuery{Since: r.Param("since"), Until: r.Param("until"), Filters: filters})
	if err != nil {
		return err
	}
	past, live, stop, err := g.backend.Subscribe(ctx, q)
	if err != nil {
		return err
	}
	defer stop()
	if err := httpx.BeginStream(w, "application/json"); err != nil {
		return nil // the client has gone
	}
	out := json.NewEncoder(httpx.Flushing(w))
	send := func(e engine.Event) error {
		if !translate.ShowsEvent(e, r.Version) {
			return nil
		}
		return out.Encode(translate.Event(e))
	}
	for _, e := range past {
		if err := send(e); err != nil {
			return nil
		}
	}
	if live == nil {
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-live:
			if !open || send(e) != nil {
				return nil
			}
		}
	}
}

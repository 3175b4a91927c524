package containers

import (
	"context"
	"net/http"

	"github.com/docker/docker/api/types/container"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

func (g *group) create(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	var body container.CreateRequest
	if err := r.NeedJSON(&body); err != nil {
		return err
	}
	query := translate.CreateQuery{Name: r.Param("name"), Platform: r.Param("platform"), Version: r.Version}
	req, warnings, err := translate.Create(body, query, g.env.Host)
	if err != nil {
		return err
	}
	made, err := g.backend.Create(ctx, req)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, translate.Created(made, warnings))
}

func (g *group) start(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := translate.CheckStart(r.ContentLength, r.Param("checkpoint")); err != nil {
		return err
	}
	ref := r.Var("name")
	if err := g.backend.Start(ctx, ref); err != nil {
		return translate.During("start", ref, err)
	}
	return httpx.WriteStatus(w, http.StatusNoContent)
}

func (g *group) stop(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	return g.halt(ctx, w, r, "stop", g.backend.Stop)
}

func (g *group) restart(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	return g.halt(ctx, w, r, "restart", g.backend.Restart)
}

// halt serves stop and restart, which ask for the same.
func (g *group) halt(ctx context.Context, w http.ResponseWriter, r *httpx.Request, op string, do func(context.Context, string, engine.StopOptions) error) error {
	seconds, err := r.Int("t")
	if err != nil {
		return err
	}
	ref := r.Var("name")
	o, err := translate.StopOptions(r.Version, r.Param("signal"), seconds)
	if err == nil {
		err = do(ctx, ref, o)
	}
	if err != nil {
		return translate.During(op, ref, err)
	}
	return httpx.WriteStatus(w, http.StatusNoContent)
}

func (g *group) kill(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	ref := r.Var("name")
	sig, err := translate.KillSignal(r.Param("signal"), g.env.Host)
	if err == nil {
		err = g.backend.Kill(ctx, ref, sig)
	}
	if err != nil {
		return translate.During("kill", ref, err)
	}
	return httpx.WriteStatus(w, http.StatusNoContent)
}

func (g *group) pause(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := g.backend.Pause(ctx, r.Var("name")); err != nil {
		return err
	}
	return httpx.WriteStatus(w, http.StatusNoContent)
}

func (g *group) unpause(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := g.backend.Unpause(ctx, r.Var("name")); err != nil {
		return err
	}
	return httpx.WriteStatus(w, http.StatusNoContent)
}

func (g *group) rename(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	ref := r.Var("name")
	if err := g.backend.Rename(ctx, ref, r.Param("name")); err != nil {
		return translate.During("rename", ref, err)
	}
	return httpx.WriteStatus(w, http.StatusNoContent)
}

func (g *group) update(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	var body container.UpdateConfig
	if err := r.ReadJSON(&body); err != nil {
		return err
	}
	req, err := translate.Update(body, r.Version, g.env.Host)
	if err != nil {
		return err
	}
	ref := r.Var("name")
	warnings, err := g.backend.Update(ctx, ref, req)
	if err != nil {
		return translate.During("update", ref, err)
	}
	return httpx.WriteJSON(w, http.StatusOK, container.UpdateResponse{Warnings: warnings})
}

func (g *group) remove(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	ref := r.Var("name")
	if err := translate.CheckRef(ref); err != nil {
		return err
	}
	o := engine.RemoveOptions{Force: r.Bool("force"), Volumes: r.Bool("v"), Link: r.Bool("link")}
	if err := g.backend.Remove(ctx, ref, o); err != nil {
		return translate.During("remove", ref, err)
	}
	return httpx.WriteStatus(w, http.StatusNoContent)
}

func (g *group) prune(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	filters, err := r.Filters()
	if err != nil {
		return err
	}
	q, err := translate.PruneQuery(filters, g.env.Now())
	if err != nil {
		return err
	}
	pruned, err := g.backend.Prune(ctx, q)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Pruned(pruned))
}

// wait answers its status at once and the exit code when it comes: clients ask before they start the container.
func (g *group) wait(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	cond, err := translate.Condition(r.Param("condition"), r.Version)
	if err != nil {
		return err
	}
	result, err := g.backend.Wait(ctx, r.Var("name"), cond)
	if err != nil {
		return err
	}
	if translate.WaitHeaders(r.Version) {
		if err := httpx.BeginStream(w, "application/json"); err != nil {
			return err
		}
	}
	select {
	case res := <-result:
		if res.Err != "" && cond == engine.WaitRemoved && !translate.WaitFailures(r.Version) {
			return nil // such a client takes an empty answer for the failure
		}
		if translate.WaitHeaders(r.Version) {
			return httpx.EncodeJSON(w, translate.Waited(res))
		}
		return httpx.WriteJSON(w, http.StatusOK, translate.Waited(res))
	case <-ctx.Done():
		return ctx.Err()
	}
}

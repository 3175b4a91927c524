package images

import (
	"context"
	"net/http"

	"github.com/docker/docker/api/types/container"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

func (g *group) list(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	filters, err := r.Filters()
	if err != nil {
		return err
	}
	q, err := translate.ImageQuery(translate.ImageListQuery{
		All: r.Bool("all"), SharedSize: r.Bool("shared-size"), Manifests: r.Bool("manifests"), Name: r.Param("filter"), Filters: filters,
	}, r.Version, g.env.Now())
	if err != nil {
		return err
	}
	list, err := g.backend.List(ctx, q)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Images(list, r.Version))
}

func (g *group) inspect(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	manifests := r.Bool("manifests")
	platform, err := translate.InspectPlatform(r.Params("platform"), manifests, r.Version)
	if err != nil {
		return err
	}
	i, err := g.backend.Inspect(ctx, r.Var("name"), platform)
	if err != nil {
		return err
	}
	answer, err := translate.Image(i, manifests, r.Version)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// platform reads the parameter that chooses one of an image's platforms; nil when there is none.
func platform(r *httpx.Request) (*engine.Platform, error) {
	return translate.JSONPlatform(r.Params("platform"), translate.PlatformSince, r.Version)
}

func (g *group) history(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	p, err := platform(r)
	if err != nil {
		return err
	}
	list, err := g.backend.History(ctx, r.Var("name"), p)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.ImageHistory(list))
}

func (g *group) tag(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	target, err := translate.TagTarget(r.Param("repo"), r.Param("tag"))
	if err != nil {
		return err
	}
	if target == "" { // dockerd answers so, and does nothing
		return httpx.WriteStatus(w, http.StatusOK)
	}
	if err := g.backend.Tag(ctx, r.Var("name"), target); err != nil {
		return err
	}
	return httpx.WriteStatus(w, http.StatusCreated)
}

func (g *group) remove(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := translate.CheckImageName(r.Var("name")); err != nil {
		return err
	}
	platforms, err := translate.RemovePlatforms(r.Params("platforms"), r.Version)
	if err != nil {
		return err
	}
	list, err := g.backend.Remove(ctx, r.Var("name"), engine.ImageRemoval{Force: r.Bool("force"), Prune: !r.Bool("noprune"), Platforms: platforms})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.ImagesDeleted(list))
}

func (g *group) prune(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	filters, err := r.Filters()
	if err != nil {
		return err
	}
	q, err := translate.ImagePrune(filters, g.env.Now())
	if err != nil {
		return err
	}
	list, reclaimed, err := g.backend.Prune(ctx, q)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.ImagesPruned(list, reclaimed))
}

func (g *group) commit(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	var body *container.Config
	if err := r.ReadJSON(&body); err != nil {
		return err
	}
	req, err := translate.Commit(translate.CommitQuery{
		Container: r.Param("container"), Repo: r.Param("repo"), Tag: r.Param("tag"), Comment: r.Param("comment"),
		Author: r.Param("author"), Pause: r.BoolOr("pause", true), Changes: r.Params("changes"),
	}, body)
	if err != nil {
		return err
	}
	id, err := g.backend.Commit(ctx, req)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, translate.Committed(id))
}

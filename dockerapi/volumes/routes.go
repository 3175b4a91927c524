package volumes

import (
	"context"
	"net/http"

	"github.com/docker/docker/api/types/volume"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/translate"
)

// group serves the operations on volumes.
type group struct {
	backend Backend
}

// Routes returns the operations on volumes.
func Routes(b Backend, _ httpx.Env) []httpx.Route {
	g := &group{b}
	const one = "/volumes/{name:.*}"
	return []httpx.Route{
		{Method: http.MethodGet, Pattern: "/volumes", Handler: g.list},
		{Method: http.MethodGet, Pattern: one, Handler: g.inspect},
		{Method: http.MethodPost, Pattern: "/volumes/create", Handler: g.create},
		{Method: http.MethodPost, Pattern: "/volumes/prune", Handler: g.prune},
		{Method: http.MethodPut, Pattern: one, Handler: updateCluster},
		{Method: http.MethodDelete, Pattern: one, Handler: g.remove},
	}
}

func (g *group) list(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	filters, err := r.Filters()
	if err != nil {
		return translate.BadVolumeFilters(err)
	}
	q, err := translate.VolumeQuery(filters)
	if err != nil {
		return err
	}
	list, err := g.backend.List(ctx, q)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Volumes(list))
}

func (g *group) inspect(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	v, err := g.backend.Inspect(ctx, r.Var("name"))
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Volume(v))
}

func (g *group) create(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	var body volume.CreateOptions
	if err := r.ReadJSON(&body); err != nil {
		return err
	}
	req, err := translate.VolumeRequest(body, r.Version)
	if err != nil {
		return err
	}
	v, err := g.backend.Create(ctx, req)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, translate.Volume(v))
}

func (g *group) remove(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := g.backend.Remove(ctx, r.Var("name"), r.Bool("force")); err != nil {
		return err
	}
	return httpx.WriteStatus(w, http.StatusNoContent)
}

func (g *group) prune(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	filters, err := r.Filters()
	if err != nil {
		return err
	}
	q, err := translate.VolumePrune(filters, r.Version)
	if err != nil {
		return err
	}
	done, err := g.backend.Prune(ctx, q)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.VolumesPruned(done))
}

// updateCluster answers for what only volumes of a swarm have.
func updateCluster(context.Context, http.ResponseWriter, *httpx.Request) error {
	return translate.ClusterVolumeUpdate()
}

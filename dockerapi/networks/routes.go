package networks

import (
	"context"
	"net/http"

	"github.com/docker/docker/api/types/network"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/translate"
)

// group serves the operations on networks.
type group struct {
	backend Backend
	env     httpx.Env
}

// Routes returns the operations on networks.
func Routes(b Backend, env httpx.Env) []httpx.Route {
	g := &group{b, env}
	const one = "/networks/{id:.*}"
	return []httpx.Route{
		{Method: http.MethodGet, Pattern: "/networks", Handler: g.list},
		{Method: http.MethodGet, Pattern: "/networks/", Handler: g.list},
		{Method: http.MethodGet, Pattern: "/networks/{id:.+}", Handler: g.inspect},
		{Method: http.MethodPost, Pattern: "/networks/create", Handler: g.create},
		{Method: http.MethodPost, Pattern: one + "/connect", Handler: g.connect},
		{Method: http.MethodPost, Pattern: one + "/disconnect", Handler: g.disconnect},
		{Method: http.MethodPost, Pattern: "/networks/prune", Handler: g.prune},
		{Method: http.MethodDelete, Pattern: one, Handler: g.remove},
	}
}

func (g *group) list(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	filters, err := r.Filters()
	if err != nil {
		return err
	}
	q, err := translate.NetworkQuery(filters)
	if err != nil {
		return err
	}
	list, err := g.backend.List(ctx, q)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Networks(list, r.Version))
}

func (g *group) inspect(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := translate.CheckVerbose(r.Param("verbose")); err != nil {
		return err
	}
	n, err := g.backend.Inspect(ctx, r.Var("id"))
	if err != nil {
		return err
	}
	if err := translate.NetworkScope(n, r.Var("id"), r.Param("scope")); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Network(n))
}

func (g *group) create(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	var body network.CreateRequest
	if err := r.ReadJSON(&body); err != nil {
		return err
	}
	req, err := translate.NetworkRequest(body, r.Version)
	if err != nil {
		return err
	}
	id, warning, err := g.backend.Create(ctx, req)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, translate.NetworkCreated(id, warning))
}

func (g *group) connect(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	var body network.ConnectOptions
	if err := r.ReadJSON(&body); err != nil {
		return err
	}
	spec, err := translate.Connect(r.Var("id"), body)
	if err != nil {
		return err
	}
	if err := g.backend.Connect(ctx, r.Var("id"), body.Container, spec); err != nil {
		return err
	}
	return httpx.WriteStatus(w, http.StatusOK)
}

func (g *group) disconnect(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	var body network.DisconnectOptions
	if err := r.ReadJSON(&body); err != nil {
		return err
	}
	if err := translate.CheckRef(body.Container); err != nil {
		return err
	}
	if err := g.backend.Disconnect(ctx, r.Var("id"), body.Container, body.Force); err != nil {
		return err
	}
	return httpx.WriteStatus(w, http.StatusOK)
}

func (g *group) remove(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := g.backend.Remove(ctx, r.Var("id")); err != nil {
		return err
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
	done, err := g.backend.Prune(ctx, q)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.NetworksPruned(done))
}

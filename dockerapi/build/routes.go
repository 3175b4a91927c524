package build

import (
	"context"
	"net/http"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/translate"
)

// group serves the operations on builds.
type group struct {
	backend Backend
	env     httpx.Env
}

// Routes returns the operations on builds.
func Routes(b Backend, env httpx.Env) []httpx.Route {
	g := &group{b, env}
	return []httpx.Route{
		{Method: http.MethodPost, Pattern: "/build", Handler: g.build},
		{Method: http.MethodPost, Pattern: "/build/prune", Handler: g.prune},
		{Method: http.MethodPost, Pattern: "/build/cancel", Handler: g.cancel},
		{Method: http.MethodPost, Pattern: "/session", Handler: session, Stream: true},
		{Method: http.MethodPost, Pattern: "/grpc", Handler: grpc, Stream: true},
	}
}

func (g *group) prune(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	filters, err := r.Filters()
	if err != nil {
		return err
	}
	bounds := map[string]string{}
	for _, name := range []string{"keep-storage", "reserved-space", "max-used-space", "min-free-space"} {
		bounds[name] = r.Param(name)
	}
	q, err := translate.CachePrune(r.Bool("all"), bounds, filters, g.env.Now())
	if err != nil {
		return err
	}
	done, err := g.backend.Prune(ctx, q)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.CachePruned(done))
}

// cancel ends a build by its id. One that is not running has ended already.
func (g *group) cancel(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := translate.CheckBuildID(r.Param("id")); err != nil {
		return err
	}
	if err := g.backend.Cancel(ctx, r.Param("id")); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return httpx.WriteStatus(w, http.StatusOK)
}

package system

import (
	"context"
	"net/http"
	"runtime"
	"slices"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/translate"
)

// group serves the operations on the daemon.
type group struct {
	backend Backend
	env     httpx.Env
}

// Routes returns the operations on the daemon, and those on what there is none of.
func Routes(b Backend, env httpx.Env) []httpx.Route {
	g := &group{b, env}
	return slices.Concat([]httpx.Route{
		{Method: http.MethodGet, Pattern: "/_ping", Handler: ping},
		{Method: http.MethodHead, Pattern: "/_ping", Handler: ping},
		{Method: http.MethodOptions, Pattern: "/{any:.*}", Handler: options},
		{Method: http.MethodGet, Pattern: "/events", Handler: g.events, Stream: true},
		{Method: http.MethodGet, Pattern: "/info", Handler: g.info},
		{Method: http.MethodGet, Pattern: "/version", Handler: g.version},
		{Method: http.MethodGet, Pattern: "/system/df", Handler: g.diskUsage},
	}, absent())
}

func ping(_ context.Context, w http.ResponseWriter, r *httpx.Request) error {
	for key, value := range translate.Ping() {
		w.Header().Set(key, value)
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Length", "0")
		return httpx.WriteStatus(w, http.StatusOK)
	}
	_, err := w.Write([]byte("OK"))
	return err
}

func options(_ context.Context, w http.ResponseWriter, _ *httpx.Request) error {
	return httpx.WriteStatus(w, http.StatusOK)
}

func (g *group) info(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	i, err := g.backend.Info(ctx)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Info(i, r.Version, g.env.Host))
}

func (g *group) version(ctx context.Context, w http.ResponseWriter, _ *httpx.Request) error {
	i, err := g.backend.Info(ctx)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.DaemonVersion(i, g.env.Host, translate.Program{GoVersion: runtime.Version()}))
}

func (g *group) diskUsage(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	wish, err := translate.DiskUsageTypes(r.Has("type"), r.Params("type"), r.Version)
	if err != nil {
		return err
	}
	u, err := g.backend.DiskUsage(ctx)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.DiskUsage(u, wish, r.Version, g.env.Now()))
}

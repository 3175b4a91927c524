package system

import (
	"context"
	"net/http"
	"path"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/translate"
)

// Experimental returns the operations that dockerd serves in experimental mode only. They stand before those on containers,
// whose names would swallow their paths.
func Experimental() []httpx.Route {
	return refusals([]refusal{{always(translate.NoExperiments), checkpoints}})
}

// absent returns the operations on what this engine has none of.
func absent() []httpx.Route {
	routes := refusals([]refusal{
		{always(translate.NoManager), swarm},
		{always(translate.NoSwarmMember), map[string][]string{http.MethodPost: {"/swarm/leave"}}},
		{always(translate.NoSwarm), map[string][]string{http.MethodPost: {"/swarm/init", "/swarm/join"}}},
		{noPluginSource, map[string][]string{http.MethodGet: {"/plugins/privileges"}, http.MethodPost: {"/plugins/pull"}}},
		{always(translate.NoPlugins), map[string][]string{http.MethodPost: {"/plugins/create"}}},
		{noPlugin, plugin},
	})
	return append(routes, httpx.Route{Method: http.MethodGet, Pattern: "/plugins", Handler: noPlugins})
}

// refusal is one reason why, and the operations that it is the answer to.
type refusal struct {
	why      func(*httpx.Request) error
	patterns map[string][]string // by method
}

func refusals(list []refusal) []httpx.Route {
	var routes []httpx.Route
	for _, a := range list {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			for _, p := range a.patterns[method] {
				h := func(_ context.Context, _ http.ResponseWriter, r *httpx.Request) error { return a.why(r) }
				routes = append(routes, httpx.Route{Method: method, Pattern: p, Handler: h})
			}
		}
	}
	return routes
}

// noPluginSource refuses to ask a registry for a plugin, and what asks for it wrongly with the reason for that.
func noPluginSource(r *httpx.Request) error {
	if r.Method == http.MethodPost {
		if err := r.ReadJSON(new([]any)); err != nil {
			return err
		}
	}
	if err := translate.CheckPluginSource(r.Param("remote")); err != nil {
		return err
	}
	return translate.NoPlugins()
}

// noPlugin tells that a plugin is not there, and before that what is wrong with the settings or the source of it.
func noPlugin(r *httpx.Request) error {
	last := path.Base(r.URL.Path)
	if r.Method == http.MethodPost && (last == "set" || last == "upgrade") {
		if err := r.ReadJSON(new([]any)); err != nil {
			return err
		}
	}
	if last == "upgrade" {
		if err := translate.CheckPluginSource(r.Param("remote")); err != nil {
			return err
		}
	}
	return translate.NoPlugin(r.Var("name"))
}

func always(err func() error) func(*httpx.Request) error {
	return func(*httpx.Request) error { return err() }
}

var swarm = map[string][]string{
	http.MethodGet: {
		"/swarm", "/swarm/unlockkey", "/nodes", "/nodes/{id}", "/services", "/services/{id}", "/services/{id}/logs",
		"/tasks", "/tasks/{id}", "/tasks/{id}/logs", "/secrets", "/secrets/{id}", "/configs", "/configs/{id}",
	},
	http.MethodPost: {
		"/swarm/update", "/swarm/unlock", "/nodes/{id}/update", "/services/create", "/services/{id}/update",
		"/secrets/create", "/secrets/{id}/update", "/configs/create", "/configs/{id}/update",
	},
	http.MethodDelete: {"/nodes/{id}", "/services/{id}", "/secrets/{id}", "/configs/{id}"},
}

var plugin = map[string][]string{
	http.MethodGet: {"/plugins/{name:.*}/json"},
	http.MethodPost: {
		"/plugins/{name:.*}/enable", "/plugins/{name:.*}/disable", "/plugins/{name:.*}/push", "/plugins/{name:.*}/upgrade", "/plugins/{name:.*}/set",
	},
	http.MethodDelete: {"/plugins/{name:.*}"},
}

var checkpoints = map[string][]string{
	http.MethodGet:    {"/containers/{name:.*}/checkpoints"},
	http.MethodPost:   {"/containers/{name:.*}/checkpoints"},
	http.MethodDelete: {"/containers/{name}/checkpoints/{checkpoint}"},
}

// noPlugins lists the plugins.
func noPlugins(_ context.Context, w http.ResponseWriter, _ *httpx.Request) error {
	return httpx.WriteJSON(w, http.StatusOK, []string{})
}

package images

import (
	"net/http"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
)

// group serves the operations on images.
type group struct {
	backend Backend
	env     httpx.Env
}

// Routes returns the operations on images.
func Routes(b Backend, env httpx.Env) []httpx.Route {
	g := &group{b, env}
	const one = "/images/{name:.*}"
	return []httpx.Route{
		{Method: http.MethodGet, Pattern: "/images/json", Handler: g.list},
		{Method: http.MethodGet, Pattern: "/images/search", Handler: g.search},
		{Method: http.MethodGet, Pattern: "/images/get", Handler: g.save},
		{Method: http.MethodGet, Pattern: one + "/get", Handler: g.save},
		{Method: http.MethodGet, Pattern: one + "/history", Handler: g.history},
		{Method: http.MethodGet, Pattern: one + "/json", Handler: g.inspect},

		{Method: http.MethodPost, Pattern: "/images/load", Handler: g.load},
		{Method: http.MethodPost, Pattern: "/images/create", Handler: g.create},
		{Method: http.MethodPost, Pattern: one + "/push", Handler: g.push},
		{Method: http.MethodPost, Pattern: one + "/tag", Handler: g.tag},
		{Method: http.MethodPost, Pattern: "/images/prune", Handler: g.prune},
		{Method: http.MethodPost, Pattern: "/commit", Handler: g.commit},

		{Method: http.MethodDelete, Pattern: one, Handler: g.remove},

		{Method: http.MethodGet, Pattern: "/distribution/{name:.*}/json", Handler: g.distribution},
		{Method: http.MethodPost, Pattern: "/auth", Handler: g.login},
	}
}

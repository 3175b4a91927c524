package containers

import (
	"net/http"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
)

// group serves the operations on containers.
type group struct {
	backend Backend
	env     httpx.Env
}

// Routes returns the operations on containers.
func Routes(b Backend, env httpx.Env) []httpx.Route {
	g := &group{b, env}
	const one = "/containers/{name:.*}"
	return []httpx.Route{
		{Method: http.MethodGet, Pattern: "/containers/json", Handler: g.list},
		{Method: http.MethodPost, Pattern: "/containers/create", Handler: g.create},
		{Method: http.MethodPost, Pattern: "/containers/prune", Handler: g.prune},

		{Method: http.MethodGet, Pattern: one + "/json", Handler: g.inspect},
		{Method: http.MethodGet, Pattern: one + "/top", Handler: g.top},
		{Method: http.MethodGet, Pattern: one + "/changes", Handler: g.changes},
		{Method: http.MethodGet, Pattern: one + "/logs", Handler: g.logs, Stream: true},
		{Method: http.MethodGet, Pattern: one + "/stats", Handler: g.stats, Stream: true},

		{Method: http.MethodPost, Pattern: one + "/start", Handler: g.start},
		{Method: http.MethodPost, Pattern: one + "/stop", Handler: g.stop},
		{Method: http.MethodPost, Pattern: one + "/restart", Handler: g.restart},
		{Method: http.MethodPost, Pattern: one + "/kill", Handler: g.kill},
		{Method: http.MethodPost, Pattern: one + "/pause", Handler: g.pause},
		{Method: http.MethodPost, Pattern: one + "/unpause", Handler: g.unpause},
		{Method: http.MethodPost, Pattern: one + "/rename", Handler: g.rename},
		{Method: http.MethodPost, Pattern: one + "/update", Handler: g.update},
		{Method: http.MethodPost, Pattern: one + "/wait", Handler: g.wait, Stream: true},
		{Method: http.MethodDelete, Pattern: one, Handler: g.remove},

		{Method: http.MethodPost, Pattern: one + "/attach", Handler: g.attach, Stream: true},
		{Method: http.MethodGet, Pattern: one + "/attach/ws", Handler: g.attachWebSocket, Stream: true},
		{Method: http.MethodPost, Pattern: one + "/resize", Handler: g.resize},

		{Method: http.MethodHead, Pattern: one + "/archive", Handler: g.statPath},
		{Method: http.MethodGet, Pattern: one + "/archive", Handler: g.readArchive},
		{Method: http.MethodPut, Pattern: one + "/archive", Handler: g.writeArchive},
		{Method: http.MethodGet, Pattern: one + "/export", Handler: g.export},
	}
}

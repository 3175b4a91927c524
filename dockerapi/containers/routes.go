package containers

import "github.com/xcengine/xc/dockerapi/internal/httpx"

// group serves the operations on containers.
type group struct {
	backend Backend
	env     httpx.Env
}

// Routes returns the operations on containers.
func Routes(b Backend, env httpx.Env) []httpx.Route {
	g := &group{b, env}
	_ = g
	return []httpx.Route{}
}

package dockerapi

import (
	"slices"

	"github.com/xcengine/xc/dockerapi/containers"
	"github.com/xcengine/xc/dockerapi/exec"
	"github.com/xcengine/xc/dockerapi/internal/httpx"
)

// Backends are the engine's services, as the groups of operations want them.
type Backends struct {
	Containers containers.Backend
	Exec       exec.Backend
}

// table returns every operation that is routed. Of two patterns that fit a path, the earlier one serves.
func table(b Backends, env httpx.Env) []httpx.Route {
	return slices.Concat(
		containers.Routes(b.Containers, env),
		exec.Routes(b.Exec, env),
	)
}

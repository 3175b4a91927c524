package dockerapi

import (
	"slices"

	"github.com/xcengine/xc/dockerapi/build"
	"github.com/xcengine/xc/dockerapi/containers"
	"github.com/xcengine/xc/dockerapi/exec"
	"github.com/xcengine/xc/dockerapi/images"
	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/dockerapi/networks"
	"github.com/xcengine/xc/dockerapi/system"
	"github.com/xcengine/xc/dockerapi/volumes"
)

// Backends are the engine's services, as the groups of operations want them.
type Backends struct {
	Containers containers.Backend
	Exec       exec.Backend
	Images     images.Backend
	Networks   networks.Backend
	Volumes    volumes.Backend
	Build      build.Backend
	System     system.Backend
}

// table returns every operation that is routed. Of two patterns that fit a path, the earlier one serves.
func table(b Backends, env httpx.Env) []httpx.Route {
	return slices.Concat(
		system.Experimental(),
		containers.Routes(b.Containers, env),
		exec.Routes(b.Exec, env),
		images.Routes(b.Images, env),
		networks.Routes(b.Networks, env),
		volumes.Routes(b.Volumes, env),
		build.Routes(b.Build, env),
		system.Routes(b.System, env),
	)
}

package nativeapi

import "context"

// route is one operation.
type route struct {
	// pattern is of http.ServeMux; {ref} names one thing, as users do. A name of an image, which has slashes, goes escaped.
	pattern string
	needs   privilege
	// lasting operations go on as long as their client wants: stopping the server ends them at once.
	lasting bool
	handler handler
}

// routes is the whole API.
func (s *Server) routes() []route {
	var all []route
	for _, group := range [][]route{
		s.systemRoutes(), s.containerRoutes(), s.streamRoutes(), s.fileRoutes(), s.imageRoutes(), s.registryRoutes(), s.buildRoutes(),
		s.networkRoutes(), s.volumeRoutes(), s.channelRoutes(),
	} {
		all = append(all, group...)
	}
	return all
}

func (s *Server) systemRoutes() []route {
	return []route{
		{pattern: "GET /v1/version", needs: member, handler: s.version},
		{pattern: "GET /v1/info", needs: member, handler: s.info},
		{pattern: "GET /v1/events", lasting: true, handler: s.events},
		{pattern: "POST /v1/purge", handler: s.purge},
	}
}

func (s *Server) version(_ context.Context, c *call) error { return c.answer(s.cfg.Version) }

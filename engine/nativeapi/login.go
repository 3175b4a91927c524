package nativeapi

import (
	"context"
	"errors"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Registries are those that the daemon has credentials for.
type Registries interface {
	// LogIn keeps credentials that the registry accepts.
	LogIn(ctx context.Context, c engine.Credentials, insecure bool) error
	LogOut(ctx context.Context, server string) error
}

func (s *Server) registryRoutes() []route {
	return []route{
		{pattern: "POST /v1/login", handler: s.login},
		{pattern: "POST /v1/logout", handler: s.logout},
	}
}

func (s *Server) login(ctx context.Context, c *call) error {
	var body wire.Login
	if err := c.read(&body); err != nil {
		return err
	}
	if body.Username == "" || body.Password == "" {
		return invalid(errors.New("a user's name and a password are needed"))
	}
	return c.done(s.cfg.Registries.LogIn(ctx, engine.Credentials{
		Username: body.Username, Password: body.Password, ServerAddress: body.Server,
	}, body.Insecure))
}

func (s *Server) logout(ctx context.Context, c *call) error {
	var body wire.Logout
	if err := c.read(&body); err != nil {
		return err
	}
	return c.done(s.cfg.Registries.LogOut(ctx, body.Server))
}

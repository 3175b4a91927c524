package nativeapi

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Networks are the daemon's networks.
type Networks interface {
	Create(ctx context.Context, req engine.NetworkRequest) (id engine.NetworkID, warning string, err error)
	Inspect(ctx context.Context, ref string) (engine.NetworkDetail, error)
	// Reload makes the kernel have every network and rule again.
	Reload(ctx context.Context) error
}

func (s *Server) networkRoutes() []route {
	return []route{
		{pattern: "POST /v1/networks", handler: s.createNetwork},
		{pattern: "POST /v1/networks/reload", handler: s.reloadNetworks},
	}
}

func (s *Server) createNetwork(ctx context.Context, c *call) error {
	var body wire.NetworkCreate
	if err := c.read(&body); err != nil {
		return err
	}
	req, err := networkRequest(body)
	if err != nil {
		return &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceNetwork, ID: body.Name, Err: err}
	}
	id, _, err := s.cfg.Networks.Create(ctx, req)
	if err != nil {
		return err
	}
	return c.answer(wire.NetworkCreated{ID: string(id)})
}

func networkRequest(b wire.NetworkCreate) (engine.NetworkRequest, error) {
	req := engine.NetworkRequest{Name: b.Name, Driver: "xc", Options: map[string]string{}}
	for option, value := range map[string]string{"bridge": b.Bridge, "alias": b.Alias, "default_router": strings.Join(b.DefaultRouters, ",")} {
		if value != "" {
			req.Options[option] = value
		}
	}
	version := map[bool]bool{}
	for _, text := range b.Subnets {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return req, fmt.Errorf("invalid subnet %s: %w", text, err)
		}
		req.Pools = append(req.Pools, engine.Pool{Subnet: p})
		version[p.Addr().Is6()] = true
	}
	four, six := version[false] || !version[true], version[true]
	req.EnableIPv4, req.EnableIPv6 = &four, &six
	return req, nil
}

func (s *Server) reloadNetworks(ctx context.Context, c *call) error {
	return c.done(s.cfg.Networks.Reload(ctx))
}

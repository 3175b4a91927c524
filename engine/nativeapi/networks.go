package nativeapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Networks are the daemon's networks.
type Networks interface {
	Create(ctx context.Context, req engine.NetworkRequest) (id engine.NetworkID, warning string, err error)
	// Reload makes the kernel have every network and rule again.
	Reload(ctx context.Context) error
}

// NetworkCreate is the body of POST /v1/networks: a network on interfaces that the administrator made.
type NetworkCreate struct {
	Name           string   `json:"name"`
	Bridge         string   `json:"bridge,omitempty"`          // joins containers with a network stack of their own
	Alias          string   `json:"alias,omitempty"`           // carries the addresses of the others
	DefaultRouters []string `json:"default_routers,omitempty"` // one of each IP version
	Subnets        []string `json:"subnets"`                   // in CIDR form
}

// NetworkCreated answers it.
type NetworkCreated struct {
	ID string `json:"id"`
}

// Done answers what has no more to say.
type Done struct{}

// maxBody bounds what a request may bring.
const maxBody = 1 << 20

func (s *Server) createNetwork(ctx context.Context, r *http.Request) (any, error) {
	var body NetworkCreate
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return nil, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceNetwork, Err: err}
	}
	req, err := body.request()
	if err != nil {
		return nil, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceNetwork, ID: body.Name, Err: err}
	}
	id, _, err := s.cfg.Networks.Create(ctx, req)
	if err != nil {
		return nil, err
	}
	return NetworkCreated{ID: string(id)}, nil
}

func (b NetworkCreate) request() (engine.NetworkRequest, error) {
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

func (s *Server) reloadNetworks(ctx context.Context, _ *http.Request) (any, error) {
	return Done{}, s.cfg.Networks.Reload(ctx)
}

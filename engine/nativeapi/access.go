package nativeapi

import (
	"context"
	"errors"

	"github.com/xcengine/xc/engine"
)

// peer is who asks.
type peer struct {
	uid  int
	root bool
}

// privilege says what a route needs of its caller.
type privilege uint8

// The privileges. The zero value is root's alone: a route that says nothing is closed.
const (
	root    privilege = iota
	anybody           // who may connect to the socket and is known to the policy
)

// admit says who asks, or refuses.
func (s *Server) admit(ctx context.Context, r route, c *call) (peer, error) {
	uid, known := ctx.Value(peerKey{}).(int)
	p := peer{uid: uid, root: known && uid == 0}
	if !p.root {
		return p, &engine.Error{Op: c.Method, Kind: engine.Forbidden, ID: c.URL.Path, Err: errors.New("only root may use this socket")}
	}
	return p, nil
}

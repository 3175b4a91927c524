package networks

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/xcengine/xc/engine"
)

// box is what one container has of the network.
type box struct {
	id engine.ContainerID
	// turn is held while the container's network is changed. Only its holder changes the other members, under the
	// service's lock; so he may read them without it.
	turn       sync.Mutex
	attachment engine.Attachment
	endpoints  map[string]engine.Endpoint // by network name
	plugs      []engine.Plug
	published  []publication
}

// enter finds or makes a container's box and waits for its turn. leave ends it.
func (s *Service) enter(id engine.ContainerID) *box {
	for {
		s.mu.Lock()
		b := s.boxes[id]
		if b == nil {
			b = &box{id: id, endpoints: make(map[string]engine.Endpoint)}
			s.boxes[id] = b
		}
		s.mu.Unlock()
		b.turn.Lock()
		s.mu.Lock()
		same := s.boxes[id] == b
		s.mu.Unlock()
		if same {
			return b
		}
		b.turn.Unlock() // it was empty, and is forgotten
	}
}

func (s *Service) leave(b *box) {
	s.mu.Lock()
	if len(b.endpoints)+len(b.plugs)+len(b.published) == 0 {
		delete(s.boxes, b.id)
	}
	s.mu.Unlock()
	b.turn.Unlock()
}

// order is the box's networks in the order in which names are looked up.
func (b *box) order() []string { return networkOrder(b.attachment.Mode, b.endpoints) }

// networkOrder is the order of a container's networks for everything that needs one but the default route: the one its
// mode names comes first, then by name.
func networkOrder[V any](mode engine.NetworkMode, endpoints map[string]V) []string {
	first := canonical(string(mode))
	return slices.SortedFunc(maps.Keys(endpoints), func(a, b string) int {
		return cmp.Or(falseFirst(a != first, b != first), strings.Compare(a, b))
	})
}

// gateway is the endpoint that leads a container's packets of one IP version out: dockerd's choice (moby libnetwork,
// Endpoint.Less), by priority, then those with a way in both versions, then by name. Empty: there is none. The caller
// holds the lock.
func (s *Service) gateway(endpoints map[string]engine.Endpoint, six bool) string {
	var candidates []string
	for name, e := range endpoints {
		if gatewayOf(e, six).IsValid() && !s.nets[e.Network].Internal {
			candidates = append(candidates, name)
		}
	}
	slices.SortFunc(candidates, func(a, b string) int {
		x, y := endpoints[a], endpoints[b]
		return cmp.Or(
			cmp.Compare(y.Spec.GwPriority, x.Spec.GwPriority),
			cmp.Compare(ways(y), ways(x)),
			strings.Compare(a, b))
	})
	if len(candidates) == 0 {
		return ""
	}
	return candidates[0]
}

func gatewayOf(e engine.Endpoint, six bool) netip.Addr {
	if six {
		return e.Gateway6
	}
	return e.Gateway4
}

func ways(e engine.Endpoint) int {
	n := 0
	for _, a := range []netip.Addr{e.Gateway4, e.Gateway6} {
		if a.IsValid() {
			n++
		}
	}
	return n
}

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

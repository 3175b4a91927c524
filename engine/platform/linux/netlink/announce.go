package netlink

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/xcengine/xc/engine"
)

// announcements decides whether neighbours must be told which hardware address an IPv4 address has now. What is told goes to
// every port of the bridge, so a start would take the longer the more containers there are. With the hardware address that
// is made of it, as nearly all have, nothing needs to be told: they know it from the last holder. It does when that one had
// another, as far as this process saw.
type announcements struct {
	mu  sync.Mutex
	odd map[place]bool // had a hardware address that is not made of it
}

type place struct {
	bridge string
	addr   netip.Addr
}

func (a *announcements) need(p engine.Plug) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	need := false
	for _, addr := range p.Addrs {
		if !addr.Addr().Is4() {
			continue
		}
		at := place{p.Bridge, addr.Addr()}
		b := addr.Addr().As4()
		odd := p.MAC != fmt.Sprintf("02:42:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
		need = need || odd || a.odd[at]
		switch {
		case !odd:
			delete(a.odd, at)
		case a.odd == nil:
			a.odd = map[place]bool{at: true}
		default:
			a.odd[at] = true
		}
	}
	return need
}

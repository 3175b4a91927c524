package dns

import (
	"net/netip"
	"sync"
)

// quota bounds how much clients have at once: all together, and each by its source address. It is safe for concurrent use.
type quota struct {
	all, perClient int

	mu      sync.Mutex
	taken   int
	clients map[netip.Addr]int
}

func newQuota(all, perClient int) *quota {
	return &quota{all: all, perClient: perClient, clients: make(map[netip.Addr]int)}
}

// enter takes one for a client, and reports whether there was one; leave gives it back.
func (q *quota) enter(client netip.Addr) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken >= q.all || q.clients[client] >= q.perClient {
		return false
	}
	q.taken++
	q.clients[client]++
	return true
}

func (q *quota) leave(client netip.Addr) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken--
	if q.clients[client]--; q.clients[client] == 0 {
		delete(q.clients, client)
	}
}

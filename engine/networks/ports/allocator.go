package ports

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/xcengine/xc/engine"
)

// The range that ports are chosen from when a container names none: Linux's own default for ephemeral ports.
const (
	DefaultFirst = 32768
	DefaultLast  = 60999
)

// Want is one container port to be published. All hosts get the same host port.
type Want struct {
	Port  engine.Port
	Hosts []netip.Addr // unspecified ones mean every address of their family
	// First to Last is what the host port is chosen from; both 0: the allocator's own range.
	First, Last uint16
	// To4 and To6 are the container's addresses, for what is said of a port that cannot be bound. Without To6 what comes in by
	// IPv6 goes to To4.
	To4, To6 netip.Addr
	// AnyFamily: an unspecified address of a family that this host has not is passed over.
	AnyFamily bool
}

// Held is one port of the host that a container has.
type Held struct {
	engine.PublishedPort
	// Socket is bound, and for tcp and sctp listening. The caller closes it. It is nil for a protocol that the kernel
	// does not know, and in what Of returns.
	Socket *os.File
}

// Allocator knows which ports of the host are given to which container. It is safe for concurrent use.
type Allocator struct {
	first, last uint16
	bind        binder

	mu    sync.Mutex
	next  map[engine.Proto]uint16 // where the search in the own range goes on
	taken map[key][]holding
	held  map[engine.ContainerID][]engine.PublishedPort
}

type key struct {
	proto engine.Proto
	port  uint16
}

type holding struct {
	host  netip.Addr
	owner engine.ContainerID
}

// binder binds one port of the host, so that nobody else can. A nil file means that there is nothing to bind. Chosen: the port was
// not asked for by its number.
type binder func(ctx context.Context, proto engine.Proto, at netip.AddrPort, chosen bool) (*os.File, error)

// Sharer says of a socket that its port may be had by another program that says the same, or not any more.
type Sharer func(fd uintptr, may bool) error

// New returns an allocator that chooses from first to last, both included. With share, a port of udp that is asked for by its number
// can be had beside a program that shares it.
func New(first, last uint16, share Sharer) *Allocator {
	return newAllocator(first, last, func(ctx context.Context, proto engine.Proto, at netip.AddrPort, chosen bool) (*os.File, error) {
		if chosen {
			return bindSocket(ctx, proto, at, nil)
		}
		return bindSocket(ctx, proto, at, share)
	})
}

func newAllocator(first, last uint16, bind binder) *Allocator {
	return &Allocator{
		first: first, last: last, bind: bind,
		next:  make(map[engine.Proto]uint16),
		taken: make(map[key][]holding),
		held:  make(map[engine.ContainerID][]engine.PublishedPort),
	}
}

// Reserve binds the whole set for the container or, with an error, nothing. A port that another container holds is Conflict
// with ReasonPortTaken, or with ReasonPortsTaken when it was to be chosen from several; one that another program of the host has is
// Conflict with ReasonPortBusy; a host address that is not the host's is Internal, as dockerd has it.
func (a *Allocator) Reserve(ctx context.Context, owner engine.ContainerID, wants []Want) ([]Held, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wants = slices.Clone(wants)
	// Exact ports first: a range must not choose what is asked for by number.
	slices.SortStableFunc(wants, func(x, y Want) int { return boolInt(x.open()) - boolInt(y.open()) })
	var all []Held
	for _, w := range wants {
		got, err := a.reserve(ctx, owner, w)
		if err != nil {
			a.giveBack(owner, all)
			return nil, err
		}
		all = append(all, got...)
	}
	return all, nil
}

// Adopt notes what a container holds from before this daemon's start. It binds nothing: the container's shim has the sockets.
func (a *Allocator) Adopt(owner engine.ContainerID, ports []engine.PublishedPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range ports {
		a.note(owner, p)
	}
}

// Of returns what the container holds.
func (a *Allocator) Of(owner engine.ContainerID) []engine.PublishedPort {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.held[owner])
}

// Release gives back all that the container holds. The sockets are closed by those who have them.
func (a *Allocator) Release(owner engine.ContainerID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.held[owner] {
		a.forget(owner, p)
	}
	delete(a.held, owner)
}

// GiveBack releases these of a container's ports, and closes their sockets.
func (a *Allocator) GiveBack(owner engine.ContainerID, ports []Held) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.giveBack(owner, ports)
}

func (a *Allocator) giveBack(owner engine.ContainerID, ports []Held) {
	for _, h := range ports {
		if h.Socket != nil {
			h.Socket.Close() // a socket's close loses nothing
		}
		a.forget(owner, h.PublishedPort)
		a.held[owner] = slices.DeleteFunc(a.held[owner], func(p engine.PublishedPort) bool { return p == h.PublishedPort })
	}
	if len(a.held[owner]) == 0 {
		delete(a.held, owner)
	}
}

// open reports whether the port may be chosen.
func (w Want) open() bool { return w.First == 0 || w.Last > w.First }

func (a *Allocator) reserve(ctx context.Context, owner engine.ContainerID, w Want) ([]Held, error) {
	first, last := w.First, max(w.First, w.Last)
	start := first
	own := w.First == 0
	if own {
		first, last = a.first, a.last
		start = a.next[w.Port.Proto]
		if start < first || start > last {
			start = first
		}
	}
	var err error
	for i := range int(last) - int(first) + 1 {
		port := first + uint16((int(start)-int(first)+i)%(int(last)-int(first)+1))
		var got []Held
		got, err = a.reserveAt(ctx, owner, w, port)
		if err == nil {
			if own {
				a.next[w.Port.Proto] = port + 1
			}
			return got, nil
		}
		if !engine.HasReason(err, engine.ReasonPortTaken) && !engine.HasReason(err, engine.ReasonPortBusy) || ctx.Err() != nil {
			break
		}
	}
	if w.open() && engine.HasReason(err, engine.ReasonPortTaken) {
		err = &engine.Error{Op: "publish", Kind: engine.Conflict, Resource: engine.ResourcePort, Reason: engine.ReasonPortsTaken}
	}
	return nil, err
}

// reserveAt takes one host port on every wanted address.
func (a *Allocator) reserveAt(ctx context.Context, owner engine.ContainerID, w Want, port uint16) ([]Held, error) {
	var got []Held
	for _, host := range w.Hosts {
		h, err := a.reserveOne(ctx, owner, w, engine.PublishedPort{Port: w.Port, HostIP: host, HostPort: port})
		if errors.Is(err, errNoFamily) && host.IsUnspecified() && w.AnyFamily {
			continue
		}
		if err != nil {
			a.giveBack(owner, got)
			return nil, err
		}
		got = append(got, h)
	}
	return got, nil
}

func (a *Allocator) reserveOne(ctx context.Context, owner engine.ContainerID, w Want, p engine.PublishedPort) (Held, error) {
	at := netip.AddrPortFrom(p.HostIP, p.HostPort)
	if host, taken := a.conflict(p); taken {
		return Held{}, portError(engine.Conflict, netip.AddrPortFrom(host, p.HostPort), engine.ReasonPortTaken, nil)
	}
	socket, err := a.bind(ctx, p.Port.Proto, at, w.open())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return Held{}, portError(engine.Conflict, at, engine.ReasonPortBusy, nil, string(p.Port.Proto), w.to(p))
	case errors.Is(err, syscall.EADDRNOTAVAIL) && !p.HostIP.IsUnspecified():
		return Held{}, portError(engine.Internal, at, engine.ReasonNone, fmt.Errorf("failed to bind host port for %s:%s/%s: cannot assign requested address", at, w.to(p), p.Port.Proto))
	case err != nil:
		return Held{}, portError(engine.KindOf(err), at, engine.ReasonNone, fmt.Errorf("failed to bind host port for %s:%s/%s: %w", at, w.to(p), p.Port.Proto, err))
	}
	a.note(owner, p)
	return Held{PublishedPort: p, Socket: socket}, nil
}

// to is where what comes to a port is led, as text.
func (w Want) to(p engine.PublishedPort) string {
	if p.HostIP.Is6() && w.To6.IsValid() {
		return netip.AddrPortFrom(w.To6, p.Port.Number).String()
	}
	return netip.AddrPortFrom(w.To4, p.Port.Number).String()
}

// conflict finds the host address at which a container holds the port.
func (a *Allocator) conflict(p engine.PublishedPort) (host netip.Addr, taken bool) {
	for _, h := range a.taken[key{p.Port.Proto, p.HostPort}] {
		if h.host.Is4() == p.HostIP.Is4() && (h.host == p.HostIP || h.host.IsUnspecified() || p.HostIP.IsUnspecified()) {
			return h.host, true
		}
	}
	return netip.Addr{}, false
}

func (a *Allocator) note(owner engine.ContainerID, p engine.PublishedPort) {
	k := key{p.Port.Proto, p.HostPort}
	a.taken[k] = append(a.taken[k], holding{p.HostIP, owner})
	a.held[owner] = append(a.held[owner], p)
}

func (a *Allocator) forget(owner engine.ContainerID, p engine.PublishedPort) {
	k := key{p.Port.Proto, p.HostPort}
	left := slices.DeleteFunc(a.taken[k], func(h holding) bool { return h == holding{p.HostIP, owner} })
	if len(left) == 0 {
		delete(a.taken, k)
		return
	}
	a.taken[k] = left
}

// Holders lists the containers that hold ports.
func (a *Allocator) Holders() []engine.ContainerID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.held))
}

func portError(kind engine.Kind, at netip.AddrPort, reason engine.Reason, cause error, more ...string) error {
	e := &engine.Error{Op: "publish", Kind: kind, Resource: engine.ResourcePort, ID: at.String(), Reason: reason, Err: cause}
	if reason != engine.ReasonNone {
		e.Args = append([]string{at.String()}, more...)
	}
	return e
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

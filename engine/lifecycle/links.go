package lifecycle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Links are Docker's oldest way to names ("--link container[:alias]"). In the default network they are entries of the hosts
// file, and variables that tell where the other one's exposed ports are; in networks of users the resolver answers them.

// defaultNetwork is the only one that links are told in this way in.
const defaultNetwork = "bridge"

// link is one link of a container in the default network. Its ref is an id: the linked container may be renamed.
type link struct{ ref, alias string }

func (l link) String() string { return l.ref + ":" + l.alias }

// linked reports whether a container's links are those of the default network.
func linked(c engine.Container) bool {
	switch c.Spec.Network.Mode {
	case "", "default", defaultNetwork:
		return len(c.Spec.Network.Links) > 0
	}
	return false
}

// linksOf lists them.
func linksOf(c engine.Container) []link {
	if !linked(c) {
		return nil
	}
	links := make([]link, 0, len(c.Spec.Network.Links))
	for _, l := range c.Spec.Network.Links {
		ref, alias, _ := strings.Cut(strings.TrimPrefix(l, "/"), ":")
		alias = alias[strings.LastIndexByte(alias, '/')+1:] // inspect shows it as "/container:/own name/alias"
		links = append(links, link{ref, cmp.Or(alias, ref)})
	}
	return links
}

// resolveLinks makes a new container's links name the linked ones by id. It refuses links to what is not there, in dockerd's
// words.
func (s *Service) resolveLinks(c *engine.Container) error {
	refuse := func(err error) error {
		return &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: err}
	}
	if !linked(*c) {
		return nil
	}
	var resolved []string
	for _, l := range linksOf(*c) {
		u, err := s.lookup(l.ref)
		if err != nil {
			return refuse(fmt.Errorf("could not get container for %s: No such container: %s", l.ref, l.ref)) //nolint:staticcheck // Docker's words
		}
		if u, err = s.networkOwner(u); err != nil {
			return refuse(err)
		}
		if u.snapshot().Spec.Network.Mode == "host" {
			return refuse(errors.New("conflicting options: host type networking can't be used with links. This would result in undefined behavior"))
		}
		resolved = append(resolved, link{string(u.snapshot().ID), l.alias}.String())
	}
	c.Spec.Network.Links = resolved
	return nil
}

// networkOwner is the container whose network a container has: its own, unless it shares another's.
func (s *Service) networkOwner(u *unit) (*unit, error) {
	for seen := map[*unit]bool{}; !seen[u]; {
		seen[u] = true
		ref, shared := strings.CutPrefix(string(u.snapshot().Spec.Network.Mode), "container:")
		if !shared {
			break
		}
		owner, err := s.lookup(ref)
		if err != nil {
			return nil, err
		}
		u = owner
	}
	return u, nil
}

// nameLinks makes a container's links name the linked ones as they are called now, for those who look at it.
func (s *Service) nameLinks(c *engine.Container) {
	if !linked(*c) {
		return
	}
	var named []string
	for _, l := range linksOf(*c) {
		if u, err := s.lookup(l.ref); err == nil {
			named = append(named, link{u.snapshot().Name, l.alias}.String())
		}
	}
	c.Spec.Network.Links = named
}

// linkNames are the names by which a container is linked, "owner/alias", sorted.
func (s *Service) linkNames(c engine.Container) []string {
	s.mu.RLock()
	owners := slices.Collect(maps.Keys(s.linkers[string(c.ID)]))
	s.mu.RUnlock()
	var names []string
	for _, id := range owners {
		u, err := s.lookup(string(id))
		if err != nil {
			continue
		}
		owner := u.snapshot()
		for _, l := range linksOf(owner) {
			if l.ref == string(c.ID) {
				names = append(names, owner.Name+"/"+l.alias)
			}
		}
	}
	slices.Sort(names)
	return names
}

// lookupLink finds the container that another one's link leads to.
func (s *Service) lookupLink(owner, alias string) (*unit, error) {
	if u, err := s.lookup(owner); err == nil {
		for _, l := range linksOf(u.snapshot()) {
			if l.alias == alias {
				return s.lookup(l.ref)
			}
		}
	}
	return nil, noSuch(owner + "/" + alias)
}

// linkHosts names a container's linked ones by alias, host name and name. A link ends with the container that it leads to.
func (s *Service) linkHosts(c engine.Container) ([]byte, error) {
	var b bytes.Buffer
	for _, l := range linksOf(c) {
		u, err := s.lookup(l.ref)
		if err != nil {
			continue
		}
		peer := u.snapshot()
		e, there := peer.Endpoints[defaultNetwork]
		if !there {
			return nil, &engine.Error{
				Op: "link", Kind: engine.Internal, Resource: engine.ResourceContainer, ID: c.Name,
				Err: fmt.Errorf("Cannot link to /%s, as it does not belong to the default network", peer.Name), //nolint:staticcheck // Docker's words
			}
		}
		names := l.alias + " " + peer.Spec.Hostname
		if l.alias != peer.Name {
			names += " " + peer.Name
		}
		for _, p := range endpointAddrs(e) {
			fmt.Fprintf(&b, "%s\t%s\n", p, names)
		}
	}
	return b.Bytes(), nil
}

// linkEnv is what the linked ones are known by in a container's environment. They have to run.
func (s *Service) linkEnv(c engine.Container) ([]string, error) {
	var env []string
	for _, l := range linksOf(c) {
		u, err := s.lookup(l.ref)
		if err != nil {
			continue
		}
		peer := u.snapshot()
		if !peer.Status.State.Alive() {
			return nil, &engine.Error{
				Op: "link", Kind: engine.Internal, Resource: engine.ResourceContainer, ID: c.Name,
				Err: fmt.Errorf("Cannot link to a non running container: /%s AS /%s/%s", peer.Name, c.Name, l.alias), //nolint:staticcheck // Docker's words
			}
		}
		env = append(env, linkVars("/"+c.Name+"/"+l.alias, l.alias, peer)...)
	}
	return env, nil
}

// linkVars are the variables of one link (docs.docker.com/engine/network/links).
func linkVars(name, alias string, peer engine.Container) []string {
	prefix := strings.ReplaceAll(strings.ToUpper(alias), "-", "_")
	ip := peer.Endpoints[defaultNetwork].IPv4.Addr().String()
	ports := slices.Clone(peer.Spec.ExposedPorts)
	slices.SortFunc(ports, func(a, b engine.Port) int {
		return cmp.Or(falseFirst(a.Proto != engine.TCP, b.Proto != engine.TCP), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Number, b.Number))
	})
	var env []string
	add := func(key, format string, args ...any) { env = append(env, prefix+key+"="+fmt.Sprintf(format, args...)) }
	if len(ports) > 0 {
		add("_PORT", "%s://%s:%d", ports[0].Proto, ip, ports[0].Number)
	}
	key := func(p engine.Port) string {
		return fmt.Sprintf("_PORT_%d_%s", p.Number, strings.ToUpper(string(p.Proto)))
	}
	for first := 0; first < len(ports); {
		last := first
		for last+1 < len(ports) && ports[last+1].Proto == ports[first].Proto && ports[last+1].Number == ports[last].Number+1 {
			last++
		}
		for _, p := range ports[first : last+1] {
			add(key(p), "%s://%s:%d", p.Proto, ip, p.Number)
			add(key(p)+"_ADDR", "%s", ip)
			add(key(p)+"_PORT", "%d", p.Number)
			add(key(p)+"_PROTO", "%s", p.Proto)
		}
		if a, z := ports[first], ports[last]; last > first {
			add(key(a)+"_START", "%s://%s:%d", a.Proto, ip, a.Number)
			add(key(a)+"_PORT_START", "%d", a.Number)
			add(key(a)+"_END", "%s://%s:%d", z.Proto, ip, z.Number)
			add(key(a)+"_PORT_END", "%d", z.Number)
		}
		first = last + 1
	}
	add("_NAME", "%s", name)
	for _, kv := range peer.Spec.Process.Env {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "HOME" && k != "PATH" {
			add("_ENV_"+k, "%s", v)
		}
	}
	return env
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

// noteLinks notes who links to whom, so that a start need not look at every container.
func (s *Service) noteLinks(c engine.Container) {
	for _, l := range linksOf(c) {
		if s.linkers[l.ref] == nil {
			s.linkers[l.ref] = map[engine.ContainerID]bool{}
		}
		s.linkers[l.ref][c.ID] = true
	}
}

func (s *Service) forgetLinks(c engine.Container) {
	for _, l := range linksOf(c) {
		delete(s.linkers[l.ref], c.ID)
		if len(s.linkers[l.ref]) == 0 {
			delete(s.linkers, l.ref)
		}
	}
}

// tellLinkers brings the hosts files of running containers that link to this one to its present addresses, as after its
// restart.
func (s *Service) tellLinkers(c engine.Container) {
	s.mu.RLock()
	all := slices.Collect(maps.Keys(s.linkers[string(c.ID)]))
	s.mu.RUnlock()
	for _, id := range all {
		// Its turn may be held by who waits for this container's.
		s.goes(func(ctx context.Context) { s.renewNames(ctx, id) })
	}
}

// unlink ends one link of a container in the default network: "container/alias". The linked container stays.
func (s *Service) unlink(ctx context.Context, ref string) error {
	owner, alias, isLink := strings.Cut(strings.TrimPrefix(ref, "/"), "/")
	if !isLink {
		if _, err := s.lookup(ref); err != nil {
			return err
		}
		return &engine.Error{Op: "remove", Kind: engine.Internal, Resource: engine.ResourceContainer, ID: ref, Err: errors.New("Conflict, cannot remove the default link name of the container")}
	}
	u, unlock, err := s.operate(ctx, owner)
	if err != nil {
		return noSuch(ref)
	}
	defer unlock()
	c, r := u.current()
	i := slices.IndexFunc(linksOf(c), func(l link) bool { return l.alias == alias })
	if i < 0 {
		return noSuch(ref)
	}
	s.mu.Lock()
	s.forgetLinks(c)
	s.mu.Unlock()
	err = s.edit(ctx, "remove", u, func(c *engine.Container) {
		c.Spec.Network.Links = slices.Delete(slices.Clone(c.Spec.Network.Links), i, i+1)
	})
	c = u.snapshot()
	s.mu.Lock()
	s.noteLinks(c)
	s.mu.Unlock()
	if err != nil || r == nil {
		return err
	}
	return s.followNames(ctx, c, r.spec)
}

// renewNames writes a running container's files anew.
func (s *Service) renewNames(ctx context.Context, id engine.ContainerID) {
	u, unlock, err := s.operate(ctx, string(id))
	if err != nil {
		return // it has gone, or the daemon goes
	}
	defer unlock()
	if c, r := u.current(); r != nil && !joinsNetwork(c) {
		s.logged(ctx, "write names", u, s.followNames(ctx, c, r.spec))
	}
}

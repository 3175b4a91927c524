package nativeapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Grant is what a caller other than root may be allowed beyond containers of its own. Those of package engine are grants too: they
// say what of the host a container may be given.
type Grant string

// The grants that are not privileges of keys.
const (
	GrantImages       Grant = "images"       // pull, build, import, change and remove images
	GrantNetworks     Grant = "networks"     // make and remove networks
	GrantVolumes      Grant = "volumes"      // make and remove volumes
	GrantPorts        Grant = "ports"        // publish ports at the host
	GrantCapabilities Grant = "capabilities" // more capabilities than any container has, and privileged containers
)

// Grants lists every grant.
func Grants() []Grant {
	return []Grant{
		GrantImages, GrantNetworks, GrantVolumes, GrantPorts, GrantCapabilities, Grant(engine.PrivilegeNetwork), Grant(engine.PrivilegeJail),
		Grant(engine.PrivilegeDataset), Grant(engine.PrivilegeDevice), Grant(engine.PrivilegePath), Grant(engine.PrivilegeHost),
	}
}

// Rights are what a caller other than root has: containers of its own, and what is named here.
type Rights struct {
	Grants []Grant
	// Volumes and Networks are patterns (path.Match) of names that its containers may mount and join.
	Volumes, Networks []string
	// Paths are patterns of paths of the host that its containers may mount if the caller has opened them.
	Paths []string
}

func (r Rights) has(g Grant) bool { return slices.Contains(r.Grants, g) }

// matches reports whether one of some patterns fits a name.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// Policy tells the rights of a user other than root; false is none at all.
type Policy func(uid int) (Rights, bool)

// peer is who asks.
type peer struct {
	uid    int
	root   bool
	rights Rights
}

// privilege says what a route needs of its caller.
type privilege uint8

// The privileges. The zero value is root's alone: a route that says nothing is closed.
const (
	root           privilege = iota
	member                   // who has rights at all
	ownContainer             // the container that the path names is the caller's
	imageManager             // has GrantImages
	networkManager           // has GrantNetworks
	volumeManager            // has GrantVolumes
)

// granting says which grant a privilege needs.
var granting = map[privilege]Grant{imageManager: GrantImages, networkManager: GrantNetworks, volumeManager: GrantVolumes}

// admit says who asks, or refuses. What a caller does not own is not there for it.
func (s *Server) admit(ctx context.Context, r route, c *call) (peer, error) {
	uid, known := ctx.Value(peerKey{}).(int)
	p := peer{uid: uid, root: known && uid == 0}
	if p.root {
		return p, nil
	}
	refuse := func(format string, args ...any) error {
		return &engine.Error{Op: c.Method, Kind: engine.Forbidden, ID: c.URL.Path, Err: fmt.Errorf(format, args...)}
	}
	if !known {
		return p, refuse("the system does not say who you are")
	}
	var has bool
	if p.rights, has = s.cfg.Policy(uid); !has {
		return p, refuse("user %d has no rights here: only root, and who is named by \"access\" in the daemon's configuration", uid)
	}
	grant, managed := granting[r.needs]
	switch {
	case r.needs == root:
		return p, refuse("only root may do this")
	case managed && !p.rights.has(grant):
		return p, refuse("user %d needs the right %q for this", uid, grant)
	case r.needs == ownContainer:
		return p, s.own(ctx, p, c)
	}
	return p, nil
}

// own finds the caller's container, and names it by its id from here on: a name may pass to another one at any time.
func (s *Server) own(ctx context.Context, p peer, c *call) error {
	found, err := s.cfg.Containers.Inspect(ctx, c.ref())
	if err != nil {
		return err
	}
	if !p.owns(found) {
		return &engine.Error{Op: c.Method, Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: c.ref()}
	}
	c.SetPathValue("ref", string(found.ID))
	return nil
}

// owns reports whether a container is the caller's.
func (p peer) owns(c engine.Container) bool {
	return p.root || p.uid > 0 && c.Spec.Labels[engine.LabelOwner] == strconv.Itoa(p.uid)
}

// mayCreate marks a wish with its caller, and tells everything in it that the caller may not have.
func (s *Server) mayCreate(ctx context.Context, p peer, b *wire.ContainerCreate, opened map[string]*os.File) error {
	if p.root {
		return nil
	}
	var errs []error
	need := func(g Grant, what string) {
		if !p.rights.has(g) {
			errs = append(errs, fmt.Errorf("%s needs the right %q", what, g))
		}
	}
	for _, labels := range []map[string]string{b.Labels, b.Annotations} {
		for _, name := range slices.Sorted(maps.Keys(labels)) {
			k, ok := engine.FindKey(name)
			switch {
			case !ok || k.Needs == engine.PrivilegeNone:
			case k.Name == engine.LabelOwner:
				errs = append(errs, fmt.Errorf("%s is the daemon's to say", name))
			case strings.HasPrefix(name, engine.LabelVolume) && !path.IsAbs(labels[name]):
				errs = append(errs, p.mayMount(labels[name]))
			case strings.HasPrefix(name, engine.LabelVolume):
				source, option, _ := strings.Cut(labels[name], ":")
				errs = append(errs, s.mayGive(p, source, option != "ro", opened))
			case k.Name == engine.LabelCopy, k.Name == engine.LabelExtraLayer: // below, by what they say
			default:
				need(Grant(k.Needs), name)
			}
		}
	}
	errs = append(errs, p.mayFill(*b, opened)...)
	for _, m := range b.Mounts {
		if path.IsAbs(m.Source) {
			errs = append(errs, s.mayGive(p, m.Source, !m.ReadOnly, opened))
		} else if m.Source != "" {
			errs = append(errs, p.mayMount(m.Source))
		}
	}
	if len(b.Publish) > 0 || b.PublishAll {
		need(GrantPorts, "a published port")
	}
	if b.Privileged || len(b.CapAdd) > 0 {
		need(GrantCapabilities, "privileged and cap_add")
	}
	if !slices.Contains(ownLogs, b.Log.Driver) {
		need(Grant(engine.PrivilegeHost), "log driver "+b.Log.Driver)
	}
	errs = append(errs, s.mayJoin(ctx, p, b.Network))
	if err := errors.Join(errs...); err != nil {
		return &engine.Error{Op: "create", Kind: engine.Forbidden, Resource: engine.ResourceContainer, ID: b.Name, Err: err}
	}
	b.Labels = maps.Clone(b.Labels)
	if b.Labels == nil {
		b.Labels = map[string]string{}
	}
	b.Labels[engine.LabelOwner] = strconv.Itoa(p.uid)
	return nil
}

// ownLogs are the log drivers that write nowhere but to the container's own directory; the daemon's default is its administrator's word.
var ownLogs = []string{"", "json-file", "local", "none"}

// mayMount tells whether a volume may be mounted; what follows its name are options.
func (p peer) mayMount(volume string) error {
	name, _, _ := strings.Cut(volume, ":")
	if matches(p.rights.Volumes, name) {
		return nil
	}
	return fmt.Errorf("volume %s is not among those that user %d may mount", name, p.uid)
}

// mayJoin tells whether a container may have a network. None at all is what anybody may have.
func (s *Server) mayJoin(ctx context.Context, p peer, n wire.NetworkWish) error {
	var errs []error
	for _, j := range n.Networks {
		if !matches(p.rights.Networks, j.Network) {
			errs = append(errs, fmt.Errorf("network %s is not among those that user %d may join", j.Network, p.uid))
		}
	}
	peerRef, joins := strings.CutPrefix(n.Mode, "container:")
	switch {
	case joins:
		if found, err := s.cfg.Containers.Inspect(ctx, peerRef); err != nil || !p.owns(found) {
			errs = append(errs, fmt.Errorf("there is no container %s", peerRef))
		}
	case n.Mode == "none", n.Mode == "" && len(n.Networks) > 0:
	case n.Mode == "host":
		if !p.rights.has(Grant(engine.PrivilegeNetwork)) {
			errs = append(errs, fmt.Errorf("the host's network needs the right %q", engine.PrivilegeNetwork))
		}
	default: // a network by its name, or the daemon's default one
		name := n.Mode
		if name == "" {
			name = "bridge"
		}
		if !matches(p.rights.Networks, name) {
			errs = append(errs, fmt.Errorf("network %s is not among those that user %d may join", name, p.uid))
		}
	}
	return errors.Join(errs...)
}

package networks

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// extras is what a container's labels ask for.
type extras struct {
	devices     []device
	mainNetwork string
	mainAddr    netip.Addr
}

// device is an interface of the administrator's for a container, with addresses.
type device struct {
	name  string
	addrs []netip.Prefix
}

// readLabels collects every mistake.
func readLabels(labels map[string]string) (x extras, errs []error) {
	if len(labels) == 0 {
		return x, nil
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		var err error
		switch {
		case key == engine.LabelIP || strings.HasPrefix(key, engine.LabelIP+"."):
			err = x.device(labels[key])
		case key == engine.LabelMainAddress:
			err = x.main(labels[key])
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("label %s=%s: %w", key, labels[key], err))
		}
	}
	return x, errs
}

func (x *extras) device(text string) error {
	var d device
	var list string
	d.name, list, _ = strings.Cut(text, "|")
	if err := interfaceName(new(string))(d.name); err != nil {
		return err
	}
	if slices.ContainsFunc(x.devices, func(o device) bool { return o.name == d.name }) {
		return fmt.Errorf("interface %s is named twice: give all its addresses at once, separated by commas", d.name)
	}
	if list != "" {
		for part := range strings.SplitSeq(list, ",") {
			a, err := parseAddress(part)
			if err != nil {
				return err
			}
			d.addrs = append(d.addrs, a)
		}
	}
	x.devices = append(x.devices, d)
	return nil
}

// parseAddress reads ADDR or ADDR/BITS, with brackets around an address of IPv6 or without.
func parseAddress(text string) (netip.Prefix, error) {
	text = strings.NewReplacer("[", "", "]", "").Replace(strings.TrimSpace(text))
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is neither an address nor one with the length of its network's prefix", text)
	}
	return p, nil
}

func (x *extras) main(text string) (err error) {
	if name, ok := strings.CutPrefix(text, "network/"); ok && name != "" {
		x.mainNetwork = name
		return nil
	}
	addr, ok := strings.CutPrefix(text, "ipaddr/")
	if !ok {
		return errors.New("must be network/NAME or ipaddr/ADDRESS")
	}
	x.mainAddr, err = netip.ParseAddr(strings.Trim(addr, "[]"))
	return err
}

// CheckLabels says everything that is wrong with what labels ask of the networks of a wish, as Check answered it.
func (s *Service) CheckLabels(mode engine.NetworkMode, endpoints map[string]engine.Endpoint, labels map[string]string) error {
	x, errs := readLabels(labels)
	if len(x.devices) > 0 && (mode == nameHost || strings.HasPrefix(string(mode), "container:")) {
		errs = append(errs, fmt.Errorf("label %s: a container with the network of the host or of another container has all its interfaces", engine.LabelIP))
	}
	for _, d := range x.devices {
		if !s.has(d.name) {
			errs = append(errs, fmt.Errorf("label %s: this host has no interface %s (ifconfig -l and ip link name those that it has)", engine.LabelIP, d.name))
		}
	}
	if _, there := endpoints[x.mainNetwork]; x.mainNetwork != "" && !there {
		errs = append(errs, fmt.Errorf("label %s: the container has no network %s", engine.LabelMainAddress, x.mainNetwork))
	}
	for _, group := range engine.NetGroups(labels) {
		if _, there := endpoints[group]; !there {
			errs = append(errs, fmt.Errorf("label %s: the container has no network %s", engine.LabelNetGroup, group))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &engine.Error{Op: "check", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: engine.Problems(errs)}
}

// has reports whether an interface is on the host, or in a container of ours that may give it back.
func (s *Service) has(name string) bool {
	if s.HasInterface == nil || s.HasInterface(name) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.boxes {
		if slices.ContainsFunc(b.plugs, func(p engine.Plug) bool { return p.Device == name }) {
			return true
		}
	}
	return false
}

// plugs are the devices as they are plugged.
func (x extras) plugs(a engine.Attachment) []engine.Plug {
	var all []engine.Plug
	for _, d := range x.devices {
		all = append(all, engine.Plug{Container: a.Container, Device: d.name, Alias: d.name, Interface: d.name, Addrs: d.addrs})
	}
	return all
}

// lend refuses an interface that another container has.
func (s *Service) lend(a engine.Attachment) error {
	x, errs := readLabels(a.Labels)
	if err := errors.Join(errs...); err != nil {
		return &engine.Error{Op: "attach", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: a.Name, Err: err}
	}
	if !private(a.Sandbox) {
		return nil
	}
	for _, d := range x.devices {
		for _, b := range s.boxes {
			lent := b.id != a.Container && slices.ContainsFunc(b.plugs, func(p engine.Plug) bool { return p.Device == d.name && private(p.Lent) })
			if lent {
				return &engine.Error{
					Op: "attach", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: a.Name,
					Err: fmt.Errorf("interface %s is in container %s", d.name, b.attachment.Name),
				}
			}
		}
	}
	return nil
}

// private reports whether a sandbox has a network stack of its own.
func private(box engine.Sandbox) bool { return box.NetNS != "" || box.VNET }

// main is the endpoint that labels choose for one IP version; chosen is false when they choose none at all.
func (x extras) mainEndpoint(endpoints map[string]engine.Endpoint, six bool) (name string, chosen bool) {
	fits := func(e engine.Endpoint) bool { return six && e.IPv6.IsValid() || !six && e.IPv4.IsValid() }
	if e, there := endpoints[x.mainNetwork]; x.mainNetwork != "" && there {
		if !fits(e) {
			return "", true
		}
		return x.mainNetwork, true
	}
	for name, e := range endpoints {
		if x.mainAddr.IsValid() && slices.Contains(endpointAddrs(e), x.mainAddr) {
			if six != x.mainAddr.Is6() {
				return "", true
			}
			return name, true
		}
	}
	return "", false
}

// Environment is what programs of a container are told of its network: one that has a network of the driver xc, or labels of
// its own for the network. Its endpoints must have their addresses.
func (s *Service) Environment(a engine.Attachment) []string {
	x, _ := readLabels(a.Labels)
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := len(x.devices) > 0 || x.mainNetwork != "" || x.mainAddr.IsValid()
	e := environment{"XC_ID=" + a.Container.Short(), fmt.Sprintf("XC_NETWORKS_COUNT=%d", len(a.Endpoints))}
	var main netip.Addr
	var mainInterface string
	note := func(addr netip.Addr, on string) {
		if addr.IsValid() && (!main.IsValid() && !x.mainAddr.IsValid() || addr == x.mainAddr) {
			main, mainInterface = addr, on
		}
	}
	order := networkOrder(a.Mode, a.Endpoints)
	if i := slices.Index(order, x.mainNetwork); i > 0 {
		order = slices.Insert(slices.Delete(order, i, i+1), 0, x.mainNetwork)
	}
	for _, name := range order {
		n, addrs := s.nets[a.Endpoints[name].Network], a.Endpoints[name]
		if n == nil || !n.bridged() {
			continue
		}
		wanted = wanted || n.Driver == driverXC
		on := n.Bridge
		if !private(a.Sandbox) {
			on = n.segment().Alias
		}
		e.network(name, on, addrs)
		for _, addr := range endpointAddrs(addrs) {
			note(addr, on)
		}
	}
	for _, d := range x.devices {
		for _, addr := range d.addrs {
			note(addr.Addr(), d.name)
		}
	}
	if !wanted {
		return nil
	}
	if main.IsValid() {
		e = append(e, "XC_MAIN_IP="+main.String(), "XC_MAIN_IFACE="+mainInterface)
	}
	return e
}

type environment []string

// network adds one network. Its name becomes what a shell takes for a variable's.
func (e *environment) network(name, on string, at engine.Endpoint) {
	prefix := "XC_NETWORK_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
	var addrs []netip.Prefix
	for _, p := range []netip.Prefix{at.IPv4, at.IPv6} {
		if p.IsValid() {
			addrs = append(addrs, p)
		}
	}
	*e = append(*e, fmt.Sprintf("%s_ADDR_COUNT=%d", prefix, len(addrs)), prefix+"_IFACE="+on)
	for i, p := range addrs {
		*e = append(*e, fmt.Sprintf("%s_ADDR_%d=%s", prefix, i, p))
	}
}

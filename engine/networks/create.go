package networks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
)

// The drivers.
const (
	driverBridge = "bridge"
	driverHost   = "host"
	driverNull   = "null"
	driverXC     = "xc"
)

// Drivers lists the network drivers, for the daemon's info.
func Drivers() []string { return []string{driverBridge, driverHost, driverNull, driverXC} }

// dockerd's sentences.
const (
	ingressOnlyGlobal   = sentence("Ingress network can only be global scope network")
	configurationFields = sentence("configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.")
)

// Create makes a network. The warning is for the client and may be empty.
func (s *Service) Create(ctx context.Context, req engine.NetworkRequest) (id engine.NetworkID, warning string, err error) {
	s.create.Lock()
	defer s.create.Unlock()
	if err := s.admit(req); err != nil {
		return "", "", err
	}
	release, err := s.exclusive(ctx)
	if err != nil {
		return "", "", &engine.Error{Op: "create", Kind: engine.Unavailable, Resource: engine.ResourceNetwork, ID: req.Name, Err: err}
	}
	defer release()
	record, err := s.record(ctx, req)
	if err != nil {
		return "", "", err
	}
	if err := s.make(ctx, record); err != nil {
		return "", "", err
	}
	s.publish("create", record, nil)
	return record.ID, "", nil
}

// admit refuses what is wrong before anything is looked for.
func (s *Service) admit(req engine.NetworkRequest) error {
	if strings.TrimSpace(req.Name) == "" {
		return invalid(req.Name, errors.New("invalid name: name is empty"))
	}
	if predefinedName(req.Name) {
		return &engine.Error{Op: "create", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: req.Name, Reason: engine.ReasonPredefined}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nets {
		if n.Name == req.Name {
			return &engine.Error{Op: "create", Kind: engine.Conflict, Resource: engine.ResourceNetwork, ID: req.Name, Reason: engine.ReasonNameTaken, Args: []string{string(n.ID)}}
		}
	}
	switch {
	case req.Ingress && !req.ConfigOnly:
		return forbidden(req.Name, ingressOnlyGlobal)
	case req.ConfigOnly && (req.Ingress || req.Internal || req.Attachable):
		return forbidden(req.Name, configurationFields)
	case req.ConfigOnly && req.ConfigFrom != "":
		return forbidden(req.Name, errors.New("a configuration network cannot depend on another configuration network"))
	}
	return admitDriver(req)
}

func admitDriver(req engine.NetworkRequest) error {
	if req.IPAMDriver != "" && req.IPAMDriver != "default" {
		return unknownDriver(req.Name, req.IPAMDriver)
	}
	switch req.Driver {
	case "", driverBridge, driverXC:
		return nil
	case driverHost, driverNull:
		return &engine.Error{Op: "create", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: req.Name, Reason: engine.ReasonPredefined, Args: []string{req.Driver}}
	}
	if req.ConfigOnly {
		return nil
	}
	return unknownDriver(req.Name, req.Driver)
}

func unknownDriver(name, driver string) error {
	return &engine.Error{Op: "create", Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: name, Reason: engine.ReasonDriverUnknown, Args: []string{driver}}
}

// record is the network that the request asks for, with everything chosen.
func (s *Service) record(ctx context.Context, req engine.NetworkRequest) (engine.Network, error) {
	r := engine.Network{
		ID: engine.NetworkID(engine.NewID()), Name: req.Name, Created: time.Now().UTC(), Driver: req.Driver, Scope: "local",
		IPAMDriver: "default", IPAMOptions: maps.Clone(req.IPAMOptions), EnableIPv4: true,
		Internal: req.Internal, Attachable: req.Attachable, ConfigOnly: req.ConfigOnly, ConfigFrom: req.ConfigFrom,
		Options: maps.Clone(req.Options), Labels: maps.Clone(req.Labels),
	}
	if r.Driver == "" {
		r.Driver = driverBridge
	}
	if err := enable(&r, req); err != nil {
		return r, err
	}
	pools := req.Pools
	if req.ConfigFrom != "" {
		from, err := s.configuration(req)
		if err != nil {
			return r, err
		}
		r.EnableIPv4, r.EnableIPv6 = from.EnableIPv4, from.EnableIPv6
		r.Options, r.Labels, r.IPAMOptions = maps.Clone(from.Options), maps.Clone(from.Labels), maps.Clone(from.IPAMOptions)
		pools = append(slices.Clone(from.Pools4), from.Pools6...)
	}
	if err := validatePools(pools, r.EnableIPv6); err != nil {
		return r, invalid(r.Name, err)
	}
	for _, p := range pools {
		p.Aux = maps.Clone(p.Aux)
		if p.Subnet.Addr().Is6() {
			r.Pools6 = append(r.Pools6, p)
		} else {
			r.Pools4 = append(r.Pools4, p)
		}
	}
	if r.ConfigOnly {
		r.Driver = driverNull
		return r, nil
	}
	return r, s.complete(ctx, &r)
}

// enable decides which IP versions the network has: by the request's member, else by an option.
func enable(r *engine.Network, req engine.NetworkRequest) error {
	for _, v := range []struct {
		asked  *bool
		option string
		to     *bool
	}{{req.EnableIPv4, optEnable4, &r.EnableIPv4}, {req.EnableIPv6, optEnable6, &r.EnableIPv6}} {
		text, given := r.Options[v.option]
		on, err := strconv.ParseBool(text)
		switch {
		case v.asked != nil:
			*v.to = *v.asked
			if given && (err != nil || on != *v.asked) {
				delete(r.Options, v.option) // it would be shown and not hold
			}
		case given && err != nil:
			return invalid(r.Name, fmt.Errorf("driver-opt %q is not a valid bool", v.option))
		case given:
			*v.to = on
		}
	}
	return nil
}

// configuration finds the configuration-only network that a request refers to.
func (s *Service) configuration(req engine.NetworkRequest) (engine.Network, error) {
	plain := (req.EnableIPv4 == nil || *req.EnableIPv4) && (req.EnableIPv6 == nil || !*req.EnableIPv6)
	if !plain || len(req.Labels)+len(req.IPAMOptions)+len(req.Pools) > 0 {
		return engine.Network{}, forbidden(req.Name, errors.New("user specified configurations are not supported if the network depends on a configuration network"))
	}
	if len(req.Options) > 0 {
		return engine.Network{}, forbidden(req.Name, errors.New("network driver options are not supported if the network depends on a configuration network"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nets {
		if n.ConfigOnly && n.Name == req.ConfigFrom {
			return n.Network, nil
		}
	}
	return engine.Network{}, &engine.Error{Op: "create", Kind: engine.NotFound, ID: req.Name, Err: fmt.Errorf("configuration network %q does not exist", req.ConfigFrom)}
}

// make writes the record and makes the host's side: a crash in between is mended by Recover.
func (s *Service) make(ctx context.Context, r engine.Network) error {
	n, err := newNetwork(r, nil)
	if err != nil {
		return err
	}
	var undone undo.Stack
	undone.Push("record", func(ctx context.Context) error { return s.Store.DeleteNetwork(ctx, r.ID) })
	if err = s.Store.PutNetwork(ctx, r); err == nil {
		s.Failpoint("network.recorded")
		undone.Push("network", func(ctx context.Context) error { return s.lose(ctx, n) })
		s.mu.Lock()
		s.nets[r.ID] = n
		s.mu.Unlock()
		err = s.realise(ctx, n)
	}
	if err != nil {
		return errors.Join(err, undone.Run(ctx))
	}
	return nil
}

// realise makes the kernel and the resolver have the network.
func (s *Service) realise(ctx context.Context, n *network) error {
	if !n.bridged() {
		return nil
	}
	if err := s.Plumber.EnsureNetwork(ctx, n.segment()); err != nil {
		return err
	}
	s.Failpoint("network.made")
	s.listen(n)
	if err := s.filtering.sync(ctx); err != nil {
		return err
	}
	s.Failpoint("network.ruled")
	return nil
}

// lose takes the network out of memory, resolver, packet filter and kernel.
func (s *Service) lose(ctx context.Context, n *network) error {
	s.mu.Lock()
	delete(s.nets, n.ID)
	s.mu.Unlock()
	s.deaf(n)
	err := s.filtering.sync(ctx)
	s.Failpoint("network.unruled")
	if !n.bridged() {
		return err
	}
	return errors.Join(err, s.Plumber.RemoveNetwork(ctx, n.segment()))
}

func (s *Service) publish(action string, n engine.Network, more map[string]string) {
	attrs := map[string]string{"name": n.Name, "type": n.Driver}
	maps.Copy(attrs, more)
	s.Events.Publish(engine.Event{Type: engine.EventNetwork, Action: action, ID: string(n.ID), Attributes: attrs})
}

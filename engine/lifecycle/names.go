package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"

	"github.com/xcengine/xc/engine"
)

// validName is Docker's rule for container names.
var validName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

func checkName(name string) error {
	if validName.MatchString(name) {
		return nil
	}
	return badName(name)
}

func badName(name string) error {
	return &engine.Error{
		Op: "name", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: name,
		Err: fmt.Errorf("Invalid container name (%s), only %s are allowed", name, "[a-zA-Z0-9][a-zA-Z0-9_.-]"),
	}
}

// reserve takes a name for a new container, or makes one up. It is given back by release.
func (s *Service) reserve(name string, id engine.ContainerID) (string, error) {
	name = strings.TrimPrefix(name, "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	if name == "" {
		for range 100 {
			if name = madeUpName(); s.names[name] == "" {
				s.names[name] = id
				return name, nil
			}
		}
		s.names[id.Short()] = id
		return id.Short(), nil
	}
	if err := checkName(name); err != nil {
		return "", err
	}
	if holder, taken := s.names[name]; taken {
		return "", &engine.Error{Op: "name", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: name, Reason: engine.ReasonNameTaken, Args: []string{string(holder)}}
	}
	s.names[name] = id
	return name, nil
}

func (s *Service) release(name string, id engine.ContainerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names[name] == id {
		delete(s.names, name)
	}
}

var (
	nameQualities = strings.Fields(`amber brisk calm clear cosy daring deft eager early fair fleet fond frank glad golden
		grand hale hardy jolly keen kind light lively lucid merry mild neat nimble noble plain polite proud quick quiet rapid ready
		round sharp shiny silent sleek smart snug solid spry steady stout sunny swift tidy vivid warm witty young zesty`)
	nameThings = strings.Fields(`anchor aspen badger beacon birch bridge brook canyon cedar cliff cloud comet coral cove crane
		delta dune ember falcon fern fjord forest gale glade grove harbor heron island jay kestrel lagoon lantern lark linden lynx
		maple marsh meadow mesa otter pebble pine plover quarry quill raven reef ridge river robin sparrow spruce summit swan thicket
		tide valley willow wren`)
)

// madeUpName gives names of the shape quality_thing.
func madeUpName() string {
	return nameQualities[rand.IntN(len(nameQualities))] + "_" + nameThings[rand.IntN(len(nameThings))]
}

// Rename gives a container another name, in its record and in its networks.
func (s *Service) Rename(ctx context.Context, ref, name string) error {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	old := u.snapshot()
	name = strings.TrimPrefix(name, "/")
	if name == "" {
		return &engine.Error{Op: "rename", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: ref, Err: errors.New("Neither old nor new names may be empty")}
	}
	if name == old.Name {
		return &engine.Error{Op: "rename", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: ref, Err: errors.New("Renaming a container with the same name as its current name")}
	}
	if checkName(name) != nil {
		return badName("/" + name) // dockerd repeats it so
	}
	if _, err := s.reserve(name, old.ID); err != nil {
		return err
	}
	if err := s.edit(ctx, "rename", u, func(c *engine.Container) { c.Name = name }); err != nil {
		s.release(name, old.ID)
		return err
	}
	s.release(old.Name, old.ID)
	s.publish(u.snapshot(), "rename", map[string]string{"oldName": "/" + old.Name})
	s.tellLinkers(u.snapshot())
	if _, r := u.current(); r != nil {
		// It may be ending at this moment. The name is changed whatever its networks make of that.
		s.logged(ctx, "tell networks of a name", u, s.attachNetwork(ctx, u, r))
	}
	return nil
}

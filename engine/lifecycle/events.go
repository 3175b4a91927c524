package lifecycle

import (
	"fmt"
	"maps"

	"github.com/xcengine/xc/engine"
)

// publish tells what happened to a container, with the attributes that Docker gives: its labels, image and name, and the
// action's own.
func (s *Service) publish(c engine.Container, action string, more map[string]string) {
	attrs := maps.Clone(c.Spec.Labels)
	if attrs == nil {
		attrs = map[string]string{}
	}
	attrs["image"], attrs["name"] = c.Spec.ImageRef, c.Name
	maps.Copy(attrs, more)
	s.Events.Publish(engine.Event{Time: now(), Type: engine.EventContainer, Action: action, ID: string(c.ID), Attributes: attrs})
}

// publishVolume tells that a container began or ceased to use a volume.
func (s *Service) publishVolume(c engine.Container, p engine.MountPoint, action string, more map[string]string) {
	attrs := map[string]string{"container": string(c.ID), "driver": p.Driver}
	maps.Copy(attrs, more)
	s.Events.Publish(engine.Event{Time: now(), Type: engine.EventVolume, Action: action, ID: p.Name, Attributes: attrs})
}

func itoa[N int64 | uint16 | int](n N) string { return fmt.Sprint(n) }

package events

import (
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/xcengine/xc/engine"
)

// match reports whether an event is one that the query selects, in every quirk as dockerd's daemon/events/filter.go: values
// of one field are alternatives, labels and fields add up, and the filters by a thing's name ask every event, of whatever
// type, for its id or name.
func match(q engine.EventQuery, e engine.Event) bool {
	return matchAction(q.Actions, e.Action) &&
		among(q.Types, e.Type) && among(q.Scopes, "local") &&
		named(q.Containers, e) && named(q.Networks, e) && named(q.Volumes, e) && named(q.Daemons, e) &&
		!slices.ContainsFunc(q.Foreign, func(values []string) bool { return !named(values, e) }) &&
		matchImage(q.Images, e) && matchLabels(q.Labels, e.Attributes)
}

// among reports whether the value is one of those wanted; none wanted are all.
func among[T comparable](wanted []T, value T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, value)
}

func prefixed(wanted []string, value string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool { return strings.HasPrefix(value, w) })
}

// matchAction compares whole actions. Those that say more after a colon are also found by their beginning, and then every
// wanted action is taken for a beginning.
func matchAction(wanted []string, action string) bool {
	for _, w := range []string{"health_status", "exec_create", "exec_start"} {
		if slices.Contains(wanted, w) {
			return prefixed(wanted, action)
		}
	}
	return among(wanted, action)
}

func named(wanted []string, e engine.Event) bool {
	return prefixed(wanted, e.ID) || prefixed(wanted, e.Attributes["name"])
}

// matchImage finds an image's own events and those of containers made of it, with the tag in its name or without.
func matchImage(wanted []string, e engine.Event) bool {
	if len(wanted) == 0 {
		return true
	}
	name := e.Attributes["image"]
	if e.Type == engine.EventImage {
		name = e.Attributes["name"]
	}
	return among(wanted, e.ID) || among(wanted, name) || among(wanted, stripTag(e.ID)) || among(wanted, stripTag(name))
}

func stripTag(image string) string {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return image
	}
	return reference.FamiliarName(ref)
}

func matchLabels(wanted []engine.LabelMatch, attributes map[string]string) bool {
	for _, w := range wanted {
		value, ok := attributes[w.Key]
		if !ok || w.HasValue && value != w.Value {
			return false
		}
	}
	return true
}

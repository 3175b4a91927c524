package events

import (
	"testing"

	"github.com/xcengine/xc/engine"
)

func TestMatch(t *testing.T) {
	container := engine.Event{
		Type: engine.EventContainer, Action: "start", ID: "d59e6c0ae0c0",
		Attributes: map[string]string{"name": "web", "image": "nginx:alpine", "tier": "front"},
	}
	image := engine.Event{Type: engine.EventImage, Action: "pull", ID: "nginx:alpine", Attributes: map[string]string{"name": "nginx"}}
	byDigest := engine.Event{Type: engine.EventImage, Action: "delete", ID: "sha256:aa", Attributes: map[string]string{"name": "sha256:aa"}}
	volume := engine.Event{Type: engine.EventVolume, Action: "mount", ID: "data", Attributes: map[string]string{"container": "d59e6c0ae0c0"}}
	network := engine.Event{Type: engine.EventNetwork, Action: "connect", ID: "e06dd", Attributes: map[string]string{"name": "front", "container": "d59e6c0ae0c0"}}
	health := engine.Event{Type: engine.EventContainer, Action: "health_status: healthy", ID: "d5"}
	exec := engine.Event{Type: engine.EventContainer, Action: "exec_create: sh -c true", ID: "d5"}
	labels := func(l ...engine.LabelMatch) engine.EventQuery { return engine.EventQuery{Labels: l} }
	images := func(names ...string) engine.EventQuery { return engine.EventQuery{Images: names} }
	acts := func(a ...string) engine.EventQuery { return engine.EventQuery{Actions: a} }
	for _, c := range []struct {
		name  string
		query engine.EventQuery
		event engine.Event
		want  bool
	}{
		{"nothing asked", engine.EventQuery{}, container, true},
		{"type", engine.EventQuery{Types: []engine.EventType{"image", "container"}}, container, true},
		{"other type", engine.EventQuery{Types: []engine.EventType{"image"}}, container, false},
		{"scope", engine.EventQuery{Scopes: []string{"local"}}, container, true},
		{"other scope", engine.EventQuery{Scopes: []string{"swarm"}}, container, false},
		{"action", acts("die", "start"), container, true},
		{"action is whole", acts("star"), container, false},
		{"health by its beginning", acts("health_status"), health, true},
		{"health whole", acts("health_status: healthy"), health, true},
		{"other health", acts("health_status: unhealthy"), health, false},
		{"exec by its beginning", acts("exec_create"), exec, true},
		{"exec start is not create", acts("exec_start"), exec, false},
		{"with health_status every word is a beginning", acts("health_status", "st"), container, true},
		{"container by name", engine.EventQuery{Containers: []string{"web"}}, container, true},
		{"container by id prefix", engine.EventQuery{Containers: []string{"d59"}}, container, true},
		{"container by name prefix", engine.EventQuery{Containers: []string{"we"}}, container, true},
		{"other container", engine.EventQuery{Containers: []string{"db"}}, container, false},
		{"a volume's event is not its container's", engine.EventQuery{Containers: []string{"d59e6c0ae0c0"}}, volume, false},
		{"volume", engine.EventQuery{Volumes: []string{"data"}}, volume, true},
		{"network by name", engine.EventQuery{Networks: []string{"front"}}, network, true},
		{"network and container add up", engine.EventQuery{Networks: []string{"front"}, Containers: []string{"web"}}, network, false},
		{"daemon", engine.EventQuery{Daemons: []string{"host"}}, container, false},
		{"plugin", engine.EventQuery{Foreign: [][]string{{"x"}}}, container, false},
		{"image by full name", images("nginx:alpine"), container, true},
		{"image without tag", images("nginx"), container, true},
		{"image of another tag", images("nginx:latest"), container, false},
		{"image by normalized name", images("docker.io/library/nginx"), container, false},
		{"image's own event", images("nginx"), image, true},
		{"image's own event with tag", images("nginx:alpine"), image, true},
		{"image that is no name", images("sha256:aa"), byDigest, true},
		{"label by key", labels(engine.LabelMatch{Key: "tier"}), container, true},
		{"label by value", labels(engine.LabelMatch{Key: "tier", Value: "front", HasValue: true}), container, true},
		{"label with empty value", labels(engine.LabelMatch{Key: "tier", HasValue: true}), container, false},
		{"all labels must hold", labels(engine.LabelMatch{Key: "tier"}, engine.LabelMatch{Key: "x"}), container, false},
		{"attributes count as labels", labels(engine.LabelMatch{Key: "image", Value: "nginx:alpine", HasValue: true}), container, true},
		{"label of what has none", labels(engine.LabelMatch{Key: "tier"}), health, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := match(c.query, c.event); got != c.want {
				t.Errorf("match is %v", got)
			}
		})
	}
}

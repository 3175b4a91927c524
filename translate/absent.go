package translate

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"

	"github.com/xcengine/xc/engine"
)

// refusef makes an error of a kind whose message is exactly the given one.
func refusef(kind engine.Kind, format string, args ...any) error {
	return &engine.Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

const noManager = `This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`

// NoManager answers what only a swarm manager can do.
func NoManager() error { return refusef(engine.Unavailable, noManager) }

// NoSwarmMember answers a request to leave the swarm.
func NoSwarmMember() error { return refusef(engine.Unavailable, "This node is not part of a swarm") }

// NoSwarm answers a request to begin or join a swarm.
func NoSwarm() error {
	return refusef(engine.NotImplemented, "swarm mode is not supported: to run containers on several machines use a scheduler that speaks to each machine's engine, such as Nomad")
}

// NoPlugin answers what asks for a plugin by name.
func NoPlugin(name string) error { return refusef(engine.NotFound, "plugin %q not found", name) }

// CheckPluginSource refuses what names no plugin in a registry.
func CheckPluginSource(remote string) error {
	if _, err := reference.ParseNormalizedNamed(remote); err != nil {
		return invalidf("%w", err)
	}
	return nil
}

// NoPlugins answers a request to install or make a plugin.
func NoPlugins() error { return refusef(engine.NotImplemented, "plugins are not supported") }

// NoExperiments answers the operations that dockerd serves in experimental mode only.
func NoExperiments() error {
	return refusef(engine.NotImplemented, "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable it.")
}

// NoBuildKit is what a client of BuildKit's own protocol is told.
const NoBuildKit = "this engine does not serve BuildKit: set DOCKER_BUILDKIT=0 to build without it"

// NoSession answers a request for a BuildKit session.
func NoSession() error { return refusef(engine.NotImplemented, NoBuildKit) }

// CheckUpgrade refuses the protocols, as Upgrade's header names them, that a connection of BuildKit's client cannot become.
// dockerd calls it the client's fault at a session and its own at the rest.
func CheckUpgrade(path, protocol string) error {
	kind := engine.Internal
	if strings.HasSuffix(path, "/session") {
		kind = engine.Invalid
	}
	switch protocol {
	case "":
		return refusef(kind, "no upgrade proto in request")
	case "h2c":
		return nil
	}
	return refusef(kind, "protocol %s not supported", protocol)
}

// CheckBuildID refuses to cancel a build that is not named.
func CheckBuildID(id string) error {
	if id == "" {
		return invalidf("build ID not provided")
	}
	return nil
}

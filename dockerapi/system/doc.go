// Package system serves the operations of the Docker API on the daemon as a whole: ping, version, info, disk usage and
// events. It also answers for everything that Docker has and this engine has none of, swarm and plugins, so that clients
// that ask for it get the answer of a dockerd without them.
package system

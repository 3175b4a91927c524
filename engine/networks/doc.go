// Package networks is the service behind Docker's networks: their records, addresses, published ports and names, and the
// convergence of what the kernel holds to them.
//
//	Create Remove Prune Inspect List      records, and the host's side of each network (Plumber.EnsureNetwork)
//	Check Attach Detach Recover Resolver  a container's places in networks, asked for by lifecycle
//
// Attach is given the whole wish for one container and makes it true in this order, with everything taken back when a step
// fails: ports are bound (package ports: every conflict is found here), addresses are taken (package ipam), interfaces made
// (Plumber), the packet filter's rules changed (Firewall; one change serves all that wait for it), names answered (package
// dns). Detach goes the other way. Both may be repeated.
//
// What containers hold is kept in memory only: after a restart of the daemon Recover derives it from the containers'
// records and from what the drivers find in the kernel, and takes away what belongs to nobody. Stored are the networks,
// and how far each pool's addresses were handed out.
//
// Words. A segment is the host's side of a network, an endpoint a container's place in one, a plug what the kernel has of
// an endpoint. The gateway endpoint of a container is the one its default route uses and its ports are published on; there
// is one for each IP version.
//
// While the daemon is away, containers keep their connections and published ports, but names are not answered; at its
// start they are again.
package networks

// Package dns answers the names of containers on each network's gateway address, and asks the host's or the container's own
// servers for all others.
//
// Who asks is known by the network that a query came in by and its source address; the answer comes from the networks which
// that container is in, and from no other. Queries of strangers (a container of another network whose packets reached this
// gateway) are refused. The host itself may ask for names but nothing is forwarded for it, and equal questions under way
// are asked once: so a host, or a container, that uses us as its server while we use it makes no loop.
//
// There is no cache: local names are answered from memory, others belong to the upstream's cache. While the daemon is away
// nothing is answered; after its start everything is again.
package dns

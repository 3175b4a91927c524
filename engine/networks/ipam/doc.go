// Package ipam hands out addresses. It is pure: no locks, no storage, no system. Pool gives the addresses of one subnet,
// Choose finds a subnet for a network that named none.
//
// Addresses are handed out next-fit: the search goes on behind the last address that was given, so that one which was
// just released is not soon somebody else's (peers' ARP caches and connection tracking still know the former holder).
package ipam

// Package netlink makes the interfaces of networks on Linux: a bridge for each network, and a pair of virtual Ethernet
// interfaces for each place of a container in one, of which one end is a port of the bridge and the other is made right
// inside the container's network namespace.
//
// What is made carries its owner's mark as its alias (ip link shows it): "xc:<owner>:<network id>" on bridges,
// "xc:<owner>:<container, 12 digits>:<network, 12 digits>" on the host's end of a pair and "xc:<network, 12 digits>" on the
// end inside. An interface whose alias could not be written any more has a name that tells.
//
// To delete an interface takes the kernel tens of milliseconds, during which nobody else can change any. So what a
// container leaves behind is only put out of use at once, and marked as dead by its group, a number made of the owner. A
// moment later the whole group is deleted with one request, or the kernel has done so by itself with the namespace.
package netlink

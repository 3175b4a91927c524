// Package ports holds the host's ports that containers publish. A port is reserved by binding it, before anything else of a
// container is made: so every conflict, with ours and with any other program of the host, is found by the kernel and by
// no guess. The bound sockets are handed on: the container's shim serves by them what the packet filter does not catch
// (loopback addresses, or everything where there is no filter), and holds the port while the daemon is away.
//
// Both address families are bound apart (0.0.0.0 and [::], with IPV6_V6ONLY), as clients see them apart in inspect.
package ports

// Package jail makes, finds, enters and removes jails by the system calls of jail(2), and renders what a container asks for
// into their parameters. Rendering and encoding are plain functions that run anywhere; only call_freebsd.go needs the kernel.
//
// Decisions:
//   - A jail is named "xc-" and the first 12 digits of its container's id. A name of digits alone would be taken for a number.
//   - Jails persist until they are removed: mounts and network are made before the first process and undone after the last.
//   - Everything that jail(8) would do itself (mounts, exec.*, addresses on interfaces) is done by us; only kernel
//     parameters are given.
//   - allow.raw_sockets, allow.chflags, allow.set_hostname and allow.reserved_ports are on, because ping, pkg and hostname
//     work for Docker's users; all else is off unless asked for.
package jail

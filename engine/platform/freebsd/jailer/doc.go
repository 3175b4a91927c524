// Package jailer isolates containers as FreeBSD's jails: lifecycle.Runtime over the packages jail, mount, devfs and rctl. Deciding
// (check.go, wish.go, plan.go) is done by plain functions that run anywhere.
//
//	<state>/jails/<id>/          exists as long as anything of the sandbox does
//	    sandbox.json             the jail's name, its root, what RemoveSandbox must know; written before the jail is made
//	    mounts                   journal of package mount
//	    root/                    the jail's root when it is to be read-only: a nullfs(5) over the container's
//
// Decisions:
//   - The jail has a stack of its own (vnet) unless label xc.vnet=false, or the network is the host's or another container's.
//   - A container that shares another's network is a jail below that one's: only so can two jails have one stack. It goes on
//     when the other ends: the jail of that one is emptied then, renamed, and removed with the last that is in it. A jail
//     made to hold the stack alone would be simpler, but the kernel lets only the jail that owns a stack work on it: no
//     container could configure its own network.
//   - Everything is mounted from the host; a jail mounts only what label, capability or annotation allowed, and that is swept up
//     when it goes.
//   - Capabilities of Linux become allow.* parameters where there is one. What a jail's root never may needs no dropping.
//   - A read-only root is a second, read-only view: the engine's own files can be written until the end, and a storage driver
//     need not know.
//   - OOM: rctl(8) kills at the bound and logs; the kernel's message buffer is what tells of it afterwards, also to a daemon
//     that did not run at the time.
package jailer

// Package engine holds the words of the container engine and nothing else: identifiers, what a container, image, network,
// volume, exec and event are, the closed set of error kinds, and the values that cross the small interfaces between the
// services and the drivers. It imports nothing of ours and does nothing.
//
// A request passes through the rooms in this order:
//
//	docker CLI ─▶ dockerapi (decode) ─▶ translate (Docker's types → words) ─▶ a service below engine/ (one call)
//	           ◀─ dockerapi (encode) ◀─ translate (words → Docker's types) ◀──┘
//
// Services (lifecycle, images, layers, networks, volumes, events, builder) do not know each other: each declares the
// interfaces it needs, in the words of this package, and engine/daemon joins them. Drivers (engine/platform/…, engine/db,
// engine/registry, engine/shim) implement those interfaces. So every type that crosses such a line is declared here.
//
// # Life of a container
//
// A container is a record (Container) with a Spec (what was asked for, already merged with its image's configuration) and a
// Status (the one state machine). Its root is made at create and lives until removal. Each start makes, in this order: the
// root's mount, the sandbox (a jail, or a network namespace), its network, the process under a shim. The end of the main
// process undoes them in reverse. Whatever is made in the kernel carries the daemon's Owner mark, so that it can be found
// again without any record.
package engine

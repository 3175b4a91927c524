// Package launch starts processes in jails on behalf of a shim, and is the second stage of the shim's own program that each of
// them begins as.
//
//	shim ── fork, exec itself ──▶ second stage ── jail_attach, terminal, user, limits, directory ── execve ──▶ program
//	  ▲            payload ────────────┘ │
//	  └── terminal's master, failures ◀──┘   a socket pair, closed by a successful execve
//
// The number of the process stays the same through all of it, so what the shim forked is the container's process. Everything
// that is looked up (accounts, the working directory, the program) is looked up after jail_attach, so nothing inside the
// root can lead out of it. A terminal is opened there as well: devfs(5) shows a terminal only in the jail it was opened in.
package launch

// Package shim is both ends of the process that stands between xcd and what runs in one container: Client and Handle on the
// daemon's side, Serve in the shim itself (cmd/xc-shim).
//
// A shim is the parent and reaper of the container's main process and of every exec. It owns their pipes and the masters of
// their terminals, writes the log, forwards published ports, and puts main's exit status on disk. xcd may be killed at any
// moment: nothing of this needs it.
//
//	xcd                                            xc-shim DIR                                  sandbox
//	Client.Start ── socketpair, listeners ───────▶ Serve: shim.pid (lock), shim.sock
//	Handle.Run ──── Run ─────────────────────────▶ Launcher.Start ────────────────────────────▶ main
//	Handle.Attach ─ own connection ◀─ output ───── pumps: log first, then every client ◀─ pipes ─┘
//	Events ◀─────── Event ──────────────────────── reaped ▸ exit.json ▸ Launcher.Kill ▸ rest of the output ▸ Event
//	Handle.Release ───────────────────────────────▶ socket and lock go, the process ends
//
// # Protocol
//
// Connections are stream sockets; internal/wire has the frames. A connection's first frame says what it is for. A control
// connection carries requests and their answers, events, and word of the log's growth. Each attached client and each exec
// has a connection of its own, so that one who reads slowly slows down his process (as with dockerd) and nobody's requests;
// and so has each change of what is forwarded, since new listeners come with it as descriptors.
// Such a connection carries Stdin, StdinEnd and Leave one way, Stdout, Stderr and End the other. The first control connection is
// inherited, all others come in at shim.sock, which stands in the container's directory.
//
// The shim says its version in Welcome. A daemon speaks every version up to its own; a shim takes what it knows of a newer
// daemon's messages and refuses requests it does not know as NotImplemented. So an upgraded daemon works with the shims of
// containers that were started before.
//
// # Life of a shim
//
//   - Without Run it lives as long as a control connection does.
//   - When main has ended: the status is in exit.json, for whoever looks, before anything else happens (and synced to the
//     disk beside what follows: a shim does not end before it is); what is left in the sandbox is killed; output is read to
//     its end, or for a moment when somebody who escaped holds it open; the log is closed; then the end is told. The shim
//     goes at Release, when no control connection is left, or after a while.
//   - SIGTERM, which a host that shuts down sends to everyone, is passed on to main, once a signal. The shim goes on: the
//     end of main is what it is there to note. Without a main it ends. SIGHUP, SIGINT and SIGQUIT mean nothing to it.
//
// # Streams
//
// Output goes to the log before it goes to clients. A client that does not read holds its process up, until its connection
// is gone; once main has ended, one that takes nothing for ten seconds is dropped instead, so that the end gets told. Without
// clients output goes to the log alone, an exec's to nobody. Input of several clients is mixed as it comes. The end of a
// client's input closes the process's stdin if it is a StdinOnce one without a terminal, else it means nothing. A client that
// breaks off without a word has ended its input; but when its daemon's control connection breaks with it, the daemon was
// killed, and stdin stays open: the process would take the half that it got for all.
//
// A process whose main part has ended may leave its output open to a child (a daemon started by an exec). Its clients are
// let go two seconds after; the shim reads on to nowhere, so that the child does not get SIGPIPE.
package shim

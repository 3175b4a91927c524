// Package launch is the Linux platform's half inside the shim: it starts a container's main process and its execs through
// the host's OCI runtime, in the bundle that package oci prepared in the daemon.
//
// The runtime is run once per process, detached: it returns when the process executes its program, or with the reason why
// it does not, and leaves the process as an orphan that the shim, a reaper, inherits. The process gets the shim's
// descriptors directly; with a terminal, the runtime makes it inside the container and hands its master over a socket.
//
// What an OCI runtime has to say it says in words only, so this is the one place that reads them (report.go). The package
// is small on purpose: it is linked into every shim.
package launch

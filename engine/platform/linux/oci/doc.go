// Package oci runs containers on Linux through an OCI runtime that it finds on the host (crun, else runc): the daemon's
// half. The shim's half is package launch; docker-init is package initproc.
//
// A container's life here:
//
//	CreateSandbox ─▶ (network attached) ─▶ Launch ─▶ (shim) launch.Start ─▶ … ─▶ RemoveSandbox
//
// CreateSandbox pins a network namespace at <state>/netns/<id12> and makes <state>/oci/<id64>, which holds a record of what
// belongs to the sandbox and, below it, the runtime's own state. That directory is the first thing made and the last
// removed, so it tells recovery of every sandbox. Launch looks up what the host and the root have to say (users, devices)
// and renders config.json into <dir>/bundle by pure functions; everything about a container's isolation is in render.go and
// the files it calls, and tested there by goldens.
//
// The runtime is run once per process, by the shim. Nothing is asked of it later: control groups are measured, frozen and
// removed directly (package cgroup), and its state is a directory to delete. Only Update goes through it, as it knows in
// which order limits must be written.
//
// Which runtime is used is decided by running a container once, as versions and hosts disagree in ways that only a trial
// shows; the outcome is kept in <state>/oci-runtime.json for as long as program, kernel and control groups stay the same.
//
// Untagged files render and parse. Files with _linux in their names ask the host.
package oci

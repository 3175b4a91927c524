// Package integration holds the black-box tests: they know the programs, the sockets and a stock docker CLI, and nothing of the
// code. They need root, Linux or FreeBSD, a docker CLI and the Go toolchain, and say so when they skip. With
// XC_ORACLE=unix:///path/to/docker.sock the tests that compare engines also ask that one.
//
// Every daemon that a test starts has a state directory and sockets of its own. When a test ends, its daemon's containers are
// removed, it is ended, and the host must be as it was before: no mount, interface, rule, control group or process more.
package integration

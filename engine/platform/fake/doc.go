// Package fake is a platform in memory: the whole engine runs on it without root, for tests of everything above the drivers.
//
// A Host stands for the machine. It outlives the daemons that are opened on it, as a kernel does: a test that "kills" a
// daemon drops it and opens another one on the same Host. Programs are named by their first argument; see programs.go.
package fake

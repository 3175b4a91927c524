// Package runtimetest is the conformance suite of a platform's isolation: a lifecycle.Runtime and the shim.Launcher that goes
// with it. It runs real programs in real sandboxes, so it needs what the platform needs, root above all.
//
// As in an engine, the two halves are in two processes: the runtime in the test, the launcher in a process of its own that
// reaps what it starts. That process is the test binary run again, so a platform's test calls Main first of all:
//
//	func TestMain(m *testing.M) { runtimetest.Main(m, func(r *reaper.Reaper) shim.Launcher { return launch.New(r) }) }
//	func TestRuntime(t *testing.T) { runtimetest.Run(t, runtimetest.Platform{Open: …}) }
//
// The containers' root is a directory that holds integration/testbox, built here, under the names of its commands. Every
// test works in a state directory and with an owner of its own, and ends by looking that nothing is left of either.
package runtimetest

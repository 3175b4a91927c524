// Package shimlaunch picks the launcher of the system that a shim runs on. It is apart from engine/platform, which brings
// everything that a daemon needs of a system: a shim must stay small.
package shimlaunch

// Package shimlaunch picks what a shim needs of the system it runs on. It is apart from engine/platform, which brings
// everything that a daemon needs of a system: a shim must stay small.
package shimlaunch

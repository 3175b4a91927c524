// Package doctor says what a host lacks for containers, what that breaks and how it is mended, and mends it.
//
//	Gather ─▶ Facts ─▶ Examine ─▶ Report (findings, each with its steps) ─▶ Plan ─▶ Applier.Do
//
// Facts are what the host is found to be; a Finding is one thing that was looked at, with a severity; a Step is one change of the
// host: a command, or a change of a file that is shown as a unified diff. Everything between Gather and Do are plain functions
// of their arguments, so that what is said about FreeBSD is tested on any system. Facts are read by the host's own tools
// through engine/internal/runner and from files; tagged files say which system's facts are gathered, and measure disks.
//
// # What is decided
//
// It works without a daemon: the time it is needed most is when none starts. So it is the one room besides the native
// API's client that cmd/xc imports; whether a daemon answers is asked by the caller, who has the client (Asker).
//
// Severities: broken is what keeps containers from running or networks from being made; limited is what takes something away
// that Docker's users expect, limits or Linux images; a hint costs nothing now. Only what is broken makes the exit code 1.
//
// A file of the administrator's is changed by the fewest lines that do, is checked by its own tool before it takes the old one's
// place (pfctl -n), and the old one stays beside it. What could cut off a remote administrator (enabling pf over rules that
// block) or is a matter of taste is told and never planned.
package doctor

// Package lifecycle makes, runs, watches, ends and removes containers. It owns their records and is the only room that
// writes a container's state.
//
// A command passes through it so:
//
//	Start(ref) ─▶ lookup ─▶ take the container's operation lock ─▶ write the intent ─▶ act, each step with its undo
//	          ─▶ move (one table, one function) ─▶ record written, waiters told, event published
//
// Decisions:
//   - One operation at a time per container (unit.op); reads never wait for it. The end of a process is not an operation: it
//     comes from the shim whenever it likes and is handled by the goroutine that watches that run, while the state is still
//     "running" and the intent "stop". So a start can never meet the remains of the run before it.
//   - Records are values. What a record points to (maps, slices) is replaced, never changed in place, so a copy of the
//     struct is a snapshot.
//   - The order of a container's end is: exit status on disk (by the shim), output delivered, network and sandbox and mounts
//     undone, state written, waiters told, "die" published. Whoever waited may start or remove it at once.
//   - Recovery is not a second program: it opens what the database and the kernel show and runs the same steps. A start that
//     was never confirmed is undone; an end that was never noted is handled as if it came now.
//   - A fact that cannot be written (disk full) still holds in memory and is written with the next one; an intent that cannot
//     be written stops the operation before its first act.
package lifecycle

// Package jsonfile writes a container's log: one JSON object a line, byte for byte what dockerd's json-file driver writes
// (moby daemon/logger/jsonfilelog), so that whatever reads those files reads ours:
//
//	{"log":"text\n","stream":"stdout","attrs":{"k":"v"},"time":"2026-11-23T13:10:21.879228895Z"}
//
// A line of output longer than 16 KiB becomes several records, all but the last without a line feed and all with the
// first one's time. Times within one file grow by at least a nanosecond a line, so that a reader can go on after the last
// record it saw; only a clock that is set back makes them fall.
//
// Rotation keeps name, name.1 … name.N, the higher the older, with .gz when compressed. It has no lock with readers, and
// any of its steps may be its last (kill -9, power loss). Readers and Open rely on this:
//
//   - a file only ever moves to a higher number, so who opens them from the lowest number up misses none, and recognises
//     one that moved on and came again by its inode, or, compressed meanwhile, by its first record;
//   - a compressed file appears complete (written aside, synced, renamed) before its original goes;
//   - numbers may have gaps.
package jsonfile

// Package layer turns layers into files and files into layers: it detects and undoes compression, applies the tar of a
// layer to a directory, lists what changed between two trees, writes that as the tar of a new layer, and copies and removes
// trees.
//
//	compressed ─ Decompress ─▶ tar ─ Apply ─▶ directory (deletions done, or as overlayfs' marks)
//	OverlayChanges (marks) or TreeChanges (two trees) ─ List ─▶ what docker diff says
//	                                                 └─ WriteTar, NewTar ─▶ tar of the difference
//
// # What is decided
//
// Confinement. Every step is one name relative to an open directory and follows no link; links on the way are read and
// resolved here, with the layer's root as "/". So it holds on every system and without chroot, and costs nothing: open
// directories are kept from entry to entry.
//
// Apply is our own. containerd's archive.Apply (v1.7.35), which does the confinement by resolving paths anew for each entry,
// was tried with the cases of apply_test.go: it fails on GNU's sparse entries, ignores the root's own entry, removes a file
// that has the name of a pax global header, lets a layer's whiteouts remove what the layer itself brings, gives linked
// files the attributes of the link's entry, cannot put a directory in a file's place, knows neither bounds nor FreeBSD's
// file flags, and takes twice the time. Its Diff compares by size and time only and keeps no attribute but capabilities.
//
// Order. Small files are written by a few goroutines while the tar is read. Whatever depends on a pending file (its name
// again, a link to it, a whiteout) waits for all of them. Times of directories and file flags come last.
//
// Tars that are written depend on the trees alone: names sorted, whole seconds, no user names, whiteouts at time zero.
package layer

// Package archive moves files into and out of containers as tar streams: docker cp and docker export. It is given a root
// where the host sees it, and what is mounted over it; paths mean what they mean to a process inside.
//
// Decisions:
//   - The container may run and may be hostile. Every path is walked by engine/internal/fstree, which never leaves the root.
//   - A volume, bind or live tmpfs is entered at its place, so the answer is what the container sees. Other file systems
//     that the host sees below the root (devfs, procfs) are shown as empty directories, as nobody wants their content in a tar.
//   - Names and headers are those of dockerd's github.com/moby/go-archive: PAX, times in seconds, of the attributes only
//     security.capability. Unlike there, a link that points out of the extracted directory is taken: it stays inside the root.
//   - Streams hold one file and one directory per level; nothing is collected.
package archive

// Package hostfile tells of files of the host what os.FileInfo does not.
package hostfile

import "os"

// Inert reports whether the file system of an open file gives nobody rights by its files: it is mounted so that set-user-ID bits
// (mount(8), nosuid) and, where devices may lie on any file system, device nodes (nodev) mean nothing.
func Inert(f *os.File) (bool, error) { return inert(int(f.Fd())) }

package fstree

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

var typeBits = map[uint32]fs.FileMode{
	unix.S_IFBLK: fs.ModeDevice, unix.S_IFCHR: fs.ModeDevice | fs.ModeCharDevice, unix.S_IFDIR: fs.ModeDir,
	unix.S_IFIFO: fs.ModeNamedPipe, unix.S_IFLNK: fs.ModeSymlink, unix.S_IFSOCK: fs.ModeSocket, unix.S_IFREG: 0,
}

var specialBits = []struct {
	unix uint32
	mode fs.FileMode
}{{unix.S_ISUID, fs.ModeSetuid}, {unix.S_ISGID, fs.ModeSetgid}, {unix.S_ISVTX, fs.ModeSticky}}

// fileMode turns st_mode into Go's bits; a type that is not known is irregular.
func fileMode(st uint32) fs.FileMode {
	mode := fs.FileMode(st & 0o777)
	if t, ok := typeBits[st&unix.S_IFMT]; ok {
		mode |= t
	} else {
		mode |= fs.ModeIrregular
	}
	for _, b := range specialBits {
		if st&b.unix != 0 {
			mode |= b.mode
		}
	}
	return mode
}

// Permissions returns the bits that chmod(2) takes.
func Permissions(mode fs.FileMode) uint32 {
	st := uint32(mode.Perm())
	for _, b := range specialBits {
		if mode&b.mode != 0 {
			st |= b.unix
		}
	}
	return st
}

// Mode turns the bits that chmod(2) takes into Go's.
func Mode(permissions uint32) fs.FileMode { return fileMode(permissions&0o7777 | unix.S_IFREG) }

// unixType returns the type bits that mknod(2) takes.
func unixType(mode fs.FileMode) uint32 {
	for st, t := range typeBits {
		if t == mode.Type() {
			return st
		}
	}
	return 0
}

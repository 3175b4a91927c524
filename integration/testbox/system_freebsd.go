package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// caps says nothing: FreeBSD has none.
func caps([]string, stdio) int { return 0 }

// mounts: what is mounted here, each with its size and its root's mode, which are a tmpfs's options.
func mounts(_ []string, s stdio) int {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return s.fail(err)
	}
	all := make([]unix.Statfs_t, n+8)
	if n, err = unix.Getfsstat(all, unix.MNT_NOWAIT); err != nil {
		return s.fail(err)
	}
	for _, m := range all[:n] {
		var root unix.Stat_t
		on := unix.ByteSliceToString(m.Mntonname[:])
		if err := unix.Stat(on, &root); err != nil {
			return s.fail(&os.PathError{Op: "stat", Path: on, Err: err})
		}
		fmt.Fprintf(s.out, "%s %s %s size=%dk,mode=%o\n", unix.ByteSliceToString(m.Mntfromname[:]), on, unix.ByteSliceToString(m.Fstypename[:]),
			m.Blocks*m.Bsize>>10, root.Mode&0o7777)
	}
	return 0
}

// offsetPid is that of ki_pid in struct kinfo_proc (sys/user.h), whose first word is its size.
const offsetPid = 72

func processes() ([]seen, error) {
	table, err := unix.SysctlRaw("kern.proc.proc")
	if err != nil {
		return nil, fmt.Errorf("kern.proc.proc: %w", err)
	}
	var all []seen
	for len(table) > offsetPid+4 {
		size := int(binary.NativeEndian.Uint32(table))
		if size <= offsetPid || size > len(table) {
			return nil, fmt.Errorf("kern.proc.proc: an entry of %d bytes in %d", size, len(table))
		}
		pid := int(binary.NativeEndian.Uint32(table[offsetPid:]))
		args, err := unix.SysctlRaw("kern.proc.args", pid)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return nil, fmt.Errorf("kern.proc.args %d: %w", pid, err)
		}
		all, table = append(all, seen{pid, words(args)}), table[size:]
	}
	return all, nil
}

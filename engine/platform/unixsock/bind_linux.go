package unixsock

import (
	"os"

	"golang.org/x/sys/unix"
)

// bindAt goes through the open directory, whose name under /proc is short.
func bindAt(s int, dir *os.File, name string) error {
	return unix.Bind(s, &unix.SockaddrUnix{Name: below(dir, name)})
}

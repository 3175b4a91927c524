package unixsock

import (
	"context"
	"net"
	"os"
	"strconv"
)

// dialAt goes through the open directory, whose name under /proc is short.
func dialAt(ctx context.Context, dir *os.File, name string) (*net.UnixConn, error) {
	return dialPath(ctx, below(dir, name))
}

// below is a short path to a name in an open directory.
func below(dir *os.File, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + name
}

package unixsock

import (
	"context"
	"net"
	"os"
	"strconv"
)

// dialAt goes through the open directory, whose name under /proc is short.
func dialAt(ctx context.Context, dir *os.File, name string) (*net.UnixConn, error) {
	return dialPath(ctx, "/proc/self/fd/"+strconv.Itoa(int(dir.Fd()))+"/"+name)
}

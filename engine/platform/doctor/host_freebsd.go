package doctor

import (
	"context"

	"golang.org/x/sys/unix"
)

// Gather finds what this host is. It changes nothing.
func Gather(ctx context.Context, s Source) Facts { return s.gatherFreeBSD(ctx) }

func disk(path string) (free, total uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	return uint64(max(st.Bavail, 0)) * st.Bsize, st.Blocks * st.Bsize, nil
}

// packetFilter is Linux' alone: pf's facts are gathered by pfctl(8).
func packetFilter() bool { return false }

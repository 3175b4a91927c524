package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Gather finds what this host is. It changes nothing, but that the kernel may load nf_tables when it is asked for it.
func Gather(ctx context.Context, s Source) Facts { return s.gatherLinux(ctx) }

func disk(path string) (free, total uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), nil
}

// filterPatience bounds the wait for the kernel's answer, which comes at once.
const filterPatience = 2 * time.Second

// packetFilter reports whether nftables answers: the number of its present rules is asked for (NFT_MSG_GETGEN,
// linux/netfilter/nf_tables.h). Whoever may not ask is not told that it does not.
func packetFilter() bool {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	timeout := unix.NsecToTimeval(int64(filterPatience))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return false
	}
	const length = unix.NLMSG_HDRLEN + 4 // struct nfgenmsg, all zero
	req := make([]byte, length)
	binary.NativeEndian.PutUint32(req[0:], length)
	binary.NativeEndian.PutUint16(req[4:], unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN)
	binary.NativeEndian.PutUint16(req[6:], unix.NLM_F_REQUEST)
	if err := unix.Sendto(fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false
	}
	answer := make([]byte, os.Getpagesize())
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < unix.NLMSG_HDRLEN {
		return false
	}
	if binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR || n < unix.NLMSG_HDRLEN+4 {
		return true
	}
	errno := syscall.Errno(-int32(binary.NativeEndian.Uint32(answer[unix.NLMSG_HDRLEN:])))
	return errno == 0 || errors.Is(errno, unix.EPERM)
}

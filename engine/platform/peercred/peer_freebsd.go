package peercred

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// solLocal is SOL_LOCAL of <sys/un.h>, which x/sys does not name.
const solLocal = 0

func peer(fd int) (int, error) {
	c, err := xucred(fd)
	if err != nil {
		return 0, err
	}
	return int(c.Uid), nil
}

func xucred(fd int) (*unix.Xucred, error) {
	return unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
}

// Credential returns who connected in full, so that a process can be started as him: the first of the groups that the kernel
// notes is the effective one (unix(4)).
func Credential(c net.Conn) (*syscall.Credential, error) {
	x, err := ask(c, xucred)
	if err != nil {
		return nil, err
	}
	groups := x.Groups[:min(max(int(x.Ngroups), 0), len(x.Groups))]
	out := &syscall.Credential{Uid: x.Uid, Gid: x.Uid}
	if len(groups) > 0 {
		out.Gid, out.Groups = groups[0], groups[1:]
	}
	return out, nil
}

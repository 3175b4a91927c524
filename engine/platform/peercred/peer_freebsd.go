package peercred

import "golang.org/x/sys/unix"

// solLocal is SOL_LOCAL of <sys/un.h>, which x/sys does not name.
const solLocal = 0

func peer(fd int) (int, error) {
	c, err := unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(c.Uid), nil
}

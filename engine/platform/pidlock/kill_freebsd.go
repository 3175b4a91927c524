package pidlock

import "golang.org/x/sys/unix"

// killHolder kills by number, at once after the kernel named the holder: FreeBSD hands out pids so that one that was just
// freed is not the next.
func killHolder(path string, pid int) error {
	if now, err := Holder(path); err != nil || now != pid {
		return err
	}
	return unix.Kill(pid, unix.SIGKILL)
}

package pidlock

import "golang.org/x/sys/unix"

// killHolder kills through a descriptor of the process: when the lock is still held after that was opened, it is the
// holder's.
func killHolder(path string, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if now, err := Holder(path); err != nil || now != pid {
		return err
	}
	return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
}

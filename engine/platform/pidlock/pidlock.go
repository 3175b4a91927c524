// Package pidlock marks a directory or a role as held by a living process, and reaches that process without mistaking
// another one for it. The mark is an fcntl(2) lock: the kernel drops it when the process ends, however that happens, and
// names its holder. The file's content, the pid in decimal, is for people.
package pidlock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Lock is held until the process ends or Release. No other descriptor of its file may be opened in this process meanwhile:
// closing it would drop the lock.
type Lock struct{ f *os.File }

// Acquire takes the lock at path and makes the file if it is not there. It waits for a holder to end.
func Acquire(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := fcntl(f, unix.F_SETLKW, whole()); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	// Its last holder may have removed the file while this process waited for it: then the lock is on nothing.
	if st, err := os.Stat(path); err != nil || !sameFile(f, st) {
		f.Close()
		return Acquire(path)
	}
	if err := errors.Join(f.Truncate(0), writePid(f)); err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{f}, nil
}

func sameFile(f *os.File, st os.FileInfo) bool {
	own, err := f.Stat()
	return err == nil && os.SameFile(own, st)
}

func writePid(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// Release drops the lock and removes its file, which may be gone with its directory.
func (l *Lock) Release() error {
	err := os.Remove(l.f.Name())
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.f.Close())
}

// Holder returns the pid of the process that holds the lock at path, 0 if none does.
func Holder(path string) (int, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lk := whole()
	if err := fcntl(f, unix.F_GETLK, lk); err != nil {
		return 0, fmt.Errorf("lock %s: %w", path, err)
	}
	if lk.Type == unix.F_UNLCK {
		return 0, nil
	}
	return int(lk.Pid), nil
}

// Kill sends SIGKILL to the holder of the lock at path and waits, at most for as long as given, until it has let go. That
// there is no holder is no error.
func Kill(path string, patience time.Duration) error {
	end := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		pid, err := Holder(path)
		if err != nil || pid == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("process %d does not end: %w", pid, os.ErrDeadlineExceeded)
		}
		if err := killHolder(path, pid); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d: %w", pid, err)
		}
		time.Sleep(pause)
	}
}

func whole() *unix.Flock_t {
	return &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
}

func fcntl(f *os.File, cmd int, lk *unix.Flock_t) error {
	for {
		err := unix.FcntlFlock(f.Fd(), cmd, lk)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstPassed is the descriptor of the first socket that a supervisor passes (sd_listen_fds(3)).
const firstPassed = 3

// sockets are those that a supervisor opened and passed, as systemd does with socket units: LISTEN_FDS of them from
// descriptor 3 on, for the process LISTEN_PID, with the names LISTEN_FDNAMES.
type sockets struct {
	files []*os.File // nil where one was taken
	names []string
}

// passedSockets takes the passed sockets over, so that no program inherits them from this one. Whether they are ones that can
// be served shows when they are taken.
func passedSockets() (*sockets, error) {
	defer func() {
		for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
			os.Unsetenv(name)
		}
	}()
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return &sockets{}, nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > 1024 {
		return nil, fmt.Errorf("LISTEN_FDS=%s: not a number of descriptors", os.Getenv("LISTEN_FDS"))
	}
	s := &sockets{names: strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")}
	for fd := firstPassed; fd < firstPassed+n; fd++ {
		syscall.CloseOnExec(fd)
		s.files = append(s.files, os.NewFile(uintptr(fd), "passed socket "+strconv.Itoa(fd)))
	}
	return s, nil
}

// take makes listeners of the sockets with a name, of the one with a descriptor's number, or of all. With an error come those
// that were made before it.
func (s *sockets) take(which string) ([]net.Listener, error) {
	var taken []net.Listener
	for i, f := range s.files {
		if f == nil || !s.means(i, which) {
			continue
		}
		l, err := net.FileListener(f)
		if err != nil {
			return taken, fmt.Errorf("%s: %w", f.Name(), err)
		}
		taken, s.files[i] = append(taken, l), nil
		f.Close()
	}
	switch {
	case len(taken) > 0:
		return taken, nil
	case which != "":
		return nil, fmt.Errorf("no socket %q was passed", which)
	}
	return nil, errors.New("no socket was passed: who starts xcd must open them and set LISTEN_FDS and LISTEN_PID, as a socket unit does")
}

func (s *sockets) means(i int, which string) bool {
	return which == "" || which == strconv.Itoa(firstPassed+i) || i < len(s.names) && which == s.names[i]
}

// close closes those that nobody took.
func (s *sockets) close() {
	for _, f := range s.files {
		if f != nil {
			f.Close()
		}
	}
}

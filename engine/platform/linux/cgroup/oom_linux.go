package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// OOMs tells when the kernel finds no memory for the processes of groups. It waits for all of them in one place; its methods
// are safe for concurrent use. The zero value is ready.
type OOMs struct {
	mu      sync.Mutex // also held while somebody is told
	poll    *os.File   // an epoll(7) instance; nil while nothing is watched
	watched map[int32]*oomWatch
}

// oomWatch is a watched group: by an eventfd(2) in version 1, by its file of events in version 2.
type oomWatch struct {
	fd    int
	dir   string
	v2    bool
	kills uint64 // version 2: as last read
	tell  func()
}

// begin starts the waiting, if nothing waits yet. The caller holds mu.
func (o *OOMs) begin() error {
	if o.poll != nil {
		return nil
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that the program's own poller waits for it
		return errors.Join(err, unix.Close(fd))
	}
	poll := os.NewFile(uintptr(fd), "epoll")
	raw, err := poll.SyscallConn()
	if err != nil {
		return errors.Join(err, poll.Close())
	}
	o.poll, o.watched = poll, map[int32]*oomWatch{}
	go func() {
		for raw.Read(o.turn) == nil { // until Close
		}
	}()
	return nil
}

// Close ends the waiting for all groups: nobody is told of anything after it. It may be repeated, and Watch may follow.
func (o *OOMs) Close() error {
	o.mu.Lock()
	for _, w := range o.watched {
		unix.Close(w.fd) //nolint:errcheck // nothing was written
	}
	clear(o.watched)
	poll := o.idle()
	o.mu.Unlock()
	return closed(poll)
}

// idle gives up the epoll instance when nothing is watched. The caller holds mu, and closes the instance after it has let go of it:
// closing waits for a turn that is under way, which may wait for mu.
func (o *OOMs) idle() *os.File {
	if o.poll == nil || len(o.watched) > 0 {
		return nil
	}
	poll := o.poll
	o.poll, o.watched = nil, nil
	return poll
}

func closed(poll *os.File) error {
	if poll == nil {
		return nil
	}
	return poll.Close()
}

// Watch calls tell each time that there is no memory for the group's processes: that one of them is killed for it, or made to
// wait where the killing is turned off. After stop has returned, tell is not called any more; tell must not call it. A group
// without a memory controller is never told of.
func (o *OOMs) Watch(g Group, tell func()) (stop func(), err error) {
	dir, v2, ok := g.dir("memory")
	if !ok {
		return func() {}, nil
	}
	w := &oomWatch{dir: dir, v2: v2, tell: tell}
	if v2 {
		w.kills = g.OOMKills()
		w.fd, err = unix.Open(filepath.Join(dir, "memory.events"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	} else {
		w.fd, err = registerOOM(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("watch for a lack of memory: %w", err)
	}
	// Read before the wait begins: version 2 tells of changes since the last reading.
	w.read()
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.begin(); err != nil {
		return nil, errors.Join(err, unix.Close(w.fd))
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(w.fd)}
	if v2 {
		event.Events = unix.EPOLLPRI
	}
	if err := o.control(unix.EPOLL_CTL_ADD, w.fd, &event); err != nil {
		return nil, errors.Join(err, unix.Close(w.fd))
	}
	o.watched[int32(w.fd)] = w
	return func() { o.stop(w) }, nil
}

func (o *OOMs) stop(w *oomWatch) {
	o.mu.Lock()
	if o.watched[int32(w.fd)] == w {
		delete(o.watched, int32(w.fd))
		unix.Close(w.fd) //nolint:errcheck // nothing was written; it leaves the epoll instance by that
	}
	poll := o.idle()
	o.mu.Unlock()
	closed(poll) //nolint:errcheck // nothing was written
}

func (o *OOMs) control(op, fd int, e *unix.EpollEvent) error {
	raw, err := o.poll.SyscallConn()
	if err != nil {
		return err
	}
	return errors.Join(raw.Control(func(poll uintptr) { err = unix.EpollCtl(int(poll), op, fd, e) }), err)
}

// turn takes what there is; false is nothing, for which the caller waits.
func (o *OOMs) turn(poll uintptr) bool {
	var events [16]unix.EpollEvent
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := unix.EpollWait(int(poll), events[:], 0)
	if err != nil || n == 0 {
		return err != nil && !errors.Is(err, unix.EINTR)
	}
	for _, e := range events[:n] {
		w := o.watched[e.Fd]
		if w == nil {
			continue
		}
		more, gone := w.read()
		if gone { // or it would wake this for ever
			o.control(unix.EPOLL_CTL_DEL, w.fd, nil) //nolint:errcheck // closed in the meantime
		}
		if more {
			w.tell()
		}
	}
	return true
}

// read tells what a descriptor was woken by: that more happened, or that the group is gone.
func (w *oomWatch) read() (more, gone bool) {
	if w.v2 {
		var b [512]byte
		n, err := unix.Pread(w.fd, b[:], 0)
		if n <= 0 || err != nil {
			return false, !errors.Is(err, unix.EINTR)
		}
		before := w.kills
		w.kills = parsePairs(string(b[:n]))["oom_kill"]
		return w.kills > before, false
	}
	var count [8]byte
	n, err := unix.Read(w.fd, count[:])
	_, left := os.Lstat(w.dir)
	return n == len(count) && err == nil && left == nil, left != nil
}

// registerOOM asks for an event as cgroup-v1/memory.rst, section 10, says.
func registerOOM(dir string) (int, error) {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1, err
	}
	control, err := unix.Open(filepath.Join(dir, "memory.oom_control"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, errors.Join(err, unix.Close(event))
	}
	defer unix.Close(control)
	if err := os.WriteFile(filepath.Join(dir, "cgroup.event_control"), fmt.Appendf(nil, "%d %d", event, control), 0); err != nil {
		return -1, errors.Join(err, unix.Close(event))
	}
	return event, nil
}

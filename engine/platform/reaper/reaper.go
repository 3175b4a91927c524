// Package reaper makes the calling process the parent of last resort of everything below it, and takes the end of every
// child in one place.
//
// A process that reaps unknown children with wait(-1) takes statuses that others wait for: os/exec, above all. So in such
// a process every program is started through the Reaper (Run, Start), and a process that another program left behind (the
// main process of a container that an OCI runtime made) is claimed by its pid. Between the end of a child and its reaping
// nobody can get its pid; Process.Signal uses that: it never reaches a stranger.
package reaper

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// Ended is how and when a child ended.
type Ended struct {
	Status syscall.WaitStatus
	At     time.Time
}

// Code is the exit status as a shell shows it: 128 and the number of the signal that ended the process.
func (e Ended) Code() int {
	if e.Status.Signaled() {
		return 128 + int(e.Status.Signal())
	}
	return e.Status.ExitStatus()
}

// Signal is the number of the signal that ended the process, 0 when it exited.
func (e Ended) Signal() int {
	if e.Status.Signaled() {
		return int(e.Status.Signal())
	}
	return 0
}

// Reaper takes the ends of all children of this process. There is one in a process, and it lasts as long as that.
type Reaper struct {
	mu       sync.Mutex
	children map[int]*Process
	ended    map[int]*Process // of the time since somebody began to hold
	holders  int
	forks    int
	forked   *sync.Cond
	passed   chan struct{} // closed and replaced when a child that nobody knew ended
}

// New makes this process a reaper: orphans below it become its children. It starts the goroutine that takes their ends,
// which lasts as long as the process.
func New() (*Reaper, error) {
	if err := acquire(); err != nil {
		return nil, fmt.Errorf("become a reaper: %w", err)
	}
	r := &Reaper{
		children: make(map[int]*Process),
		ended:    make(map[int]*Process),
		passed:   make(chan struct{}),
	}
	r.forked = sync.NewCond(&r.mu)
	go r.loop()
	return r, nil
}

func (r *Reaper) loop() {
	for {
		r.mu.Lock()
		forks := r.forks
		r.mu.Unlock()
		pid, err := peek()
		switch err {
		case nil:
			r.take(pid)
		case syscall.ECHILD:
			r.mu.Lock()
			for r.forks == forks {
				r.forked.Wait()
			}
			r.mu.Unlock()
		}
	}
}

// take reaps under the lock that Signal holds, so that a signal is sent to a child or not at all.
func (r *Reaper) take(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ws syscall.WaitStatus
	got, err := syscall.Wait4(pid, &ws, syscall.WNOHANG, nil)
	if err != nil || got != pid {
		return
	}
	p, known := r.children[pid]
	if !known {
		p = r.process(pid)
	}
	delete(r.children, pid)
	p.end = Ended{Status: ws, At: time.Now()}
	close(p.done)
	if r.holders > 0 {
		r.ended[pid] = p
	}
	if !known {
		close(r.passed)
		r.passed = make(chan struct{})
	}
}

func (r *Reaper) process(pid int) *Process {
	return &Process{r: r, pid: pid, done: make(chan struct{})}
}

// Hold remembers children that end until Release, so that Claim finds a process that has already ended.
type Hold struct {
	r    *Reaper
	once sync.Once
}

// Hold begins to remember ends. Take it before the process to be claimed can exist.
func (r *Reaper) Hold() *Hold {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holders++
	return &Hold{r: r}
}

// Release ends the hold. It may be repeated.
func (h *Hold) Release() {
	h.once.Do(func() {
		h.r.mu.Lock()
		defer h.r.mu.Unlock()
		h.r.holders--
		if h.r.holders == 0 {
			clear(h.r.ended)
		}
	})
}

// Claim makes a child known by its pid; the same child may be claimed again. It fails when the pid is not a child of this process.
func (h *Hold) Claim(pid int) (*Process, error) {
	r := h.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.children[pid]; ok {
		return p, nil
	}
	if p, ok := r.ended[pid]; ok {
		return p, nil
	}
	if !isChild(pid) {
		return nil, fmt.Errorf("process %d is not a child of this process", pid)
	}
	p := r.process(pid)
	r.children[pid] = p
	return p, nil
}

// Process is a child of this process.
type Process struct {
	r    *Reaper
	pid  int
	done chan struct{}
	end  Ended
}

// Pid is the child's process id.
func (p *Process) Pid() int { return p.pid }

// Done is closed when the child was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// End is how the child ended; call it after Done.
func (p *Process) End() Ended { return p.end }

// Signal sends a signal to the child. It returns os.ErrProcessDone when the child was reaped: its pid may be another's.
func (p *Process) Signal(sig syscall.Signal) error {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	select {
	case <-p.done:
		return os.ErrProcessDone
	default:
	}
	return syscall.Kill(p.pid, sig)
}

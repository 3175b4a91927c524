package reaper

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Command is one start of a host program.
type Command struct {
	Path                  string   // absolute
	Args                  []string // with the program's own name first
	Env                   []string // nil is this process's own
	Dir                   string   // empty is this process's own
	Stdin, Stdout, Stderr *os.File // nil is /dev/null
	Extra                 []*os.File
	// Capture makes Run collect what the program itself writes to those of Stdout and Stderr that are nil. A process that
	// outlives the program and holds them is not waited for.
	Capture bool
	Sys     *syscall.SysProcAttr
}

// Result is the end of a program that Run ran.
type Result struct {
	Ended
	Output []byte // with Capture: at most its first 64 KiB
}

// Run runs a program to its end. When ctx ends first the program is killed, and the error is the context's. A program
// that exits with a status other than 0 is no error.
func (r *Reaper) Run(ctx context.Context, c Command) (Result, error) {
	var out *capture
	if c.Capture {
		var err error
		if out, err = newCapture(&c); err != nil {
			return Result{}, err
		}
	}
	p, err := r.Start(c)
	if out != nil {
		out.closeWriter()
	}
	if err != nil {
		if out != nil {
			out.end()
		}
		return Result{}, err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		_ = p.Signal(syscall.SIGKILL) // it may have ended just now
		<-p.Done()
	}
	res := Result{Ended: p.End()}
	if out != nil {
		res.Output = out.end()
	}
	return res, ctx.Err()
}

// Start starts a program and returns once it executes, or with the reason why it does not.
func (r *Reaper) Start(c Command) (*Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	files := make([]uintptr, 0, 3+len(c.Extra))
	for _, f := range append([]*os.File{c.Stdin, c.Stdout, c.Stderr}, c.Extra...) {
		if f == nil {
			f = null
		}
		files = append(files, f.Fd())
	}
	env := c.Env
	if env == nil {
		env = os.Environ()
	}
	h := r.Hold()
	defer h.Release()
	pid, err := syscall.ForkExec(c.Path, c.Args, &syscall.ProcAttr{Dir: c.Dir, Env: env, Files: files, Sys: c.Sys})
	if err != nil {
		return nil, &os.PathError{Op: "fork/exec", Path: c.Path, Err: err}
	}
	r.mu.Lock()
	r.forks++
	r.forked.Broadcast()
	r.mu.Unlock()
	return h.Claim(pid)
}

const maxCapture = 64 << 10

// capture collects a program's output through a pipe.
type capture struct {
	r, w *os.File
	buf  []byte
	done chan struct{}
}

func newCapture(c *Command) (*capture, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	cp := &capture{r: os.NewFile(uintptr(fds[0]), "output"), w: os.NewFile(uintptr(fds[1]), "output"), done: make(chan struct{})}
	if c.Stdout == nil {
		c.Stdout = cp.w
	}
	if c.Stderr == nil {
		c.Stderr = cp.w
	}
	go cp.read()
	return cp, nil
}

func (c *capture) closeWriter() { c.w.Close() }

func (c *capture) read() {
	defer close(c.done)
	chunk := make([]byte, 4096)
	for {
		n, err := c.r.Read(chunk)
		c.keep(chunk[:n])
		if err != nil {
			return
		}
	}
}

func (c *capture) keep(p []byte) {
	c.buf = append(c.buf, p[:min(len(p), maxCapture-len(c.buf))]...)
}

// end takes what still stands in the pipe after the program's end and closes it.
func (c *capture) end() []byte {
	_ = c.r.SetReadDeadline(past)
	<-c.done
	_ = c.r.SetReadDeadline(never)
	raw, err := c.r.SyscallConn()
	if err == nil {
		chunk := make([]byte, 4096)
		// The program has ended, so what is left is bounded by the pipe; whoever else holds it is not read for longer.
		for range maxCapture / len(chunk) {
			n := 0
			_ = raw.Read(func(fd uintptr) bool { n, _ = unix.Read(int(fd), chunk); return true })
			if n <= 0 {
				break
			}
			c.keep(chunk[:n])
		}
	}
	c.r.Close()
	return c.buf
}

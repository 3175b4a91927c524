package shim

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/pty"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

var noDeadline time.Time

const (
	// patience is how long an attached client may take nothing once its process has ended.
	patience = 10 * time.Second
	// hungUp is how long to wait before a terminal that nobody has open is read again.
	hungUp = 100 * time.Millisecond
)

// process is main or an exec, from before its start until its last client is gone.
type process struct {
	id   engine.ExecID // empty: main
	sink sink          // takes the output before clients do; nil for execs
	// lost is called when a client that fed it broke off without a word. daemon is the number of its control connection.
	lost func(p *process, daemon uint64)

	mu      sync.Mutex
	launch  engine.Launch
	child   *reaper.Process // nil before the start
	since   time.Time       // when it began
	size    [2]uint16       // wanted before the start
	stdin   *os.File        // nil without one, and once it was closed
	master  *os.File        // of its terminal
	out     []*source
	clients []*attachment // replaced, never changed in place
	exit    *engine.ExitStatus
	over    bool // clients get no more output

	order   sync.Mutex    // a chunk goes to the log and to those who are clients then, and nobody becomes one in between
	feeding sync.Mutex    // one chunk of input at a time
	started chan struct{} // closed when it runs, or never will
	ending  chan struct{} // closed when it was reaped
	told    chan struct{} // execs: closed when the end was told
	pumps   sync.WaitGroup
	bound   sync.WaitGroup // of sources that were not read to their end or bound yet
}

// sink is a log.
type sink interface {
	write(src engine.Source, p []byte)
	mark() *engine.LogMark
}

func newProcess(id engine.ExecID, sink sink, lost func(*process, uint64)) *process {
	return &process{id: id, sink: sink, lost: lost, started: make(chan struct{}), ending: make(chan struct{}), told: make(chan struct{})}
}

// begin takes a process that runs, and its streams.
func (p *process) begin(l engine.Launch, child *reaper.Process, stdin, master *os.File, out []*source) {
	p.mu.Lock()
	p.launch, p.child, p.since, p.stdin, p.master, p.out = l, child, time.Now(), stdin, master, out
	size := p.size
	p.mu.Unlock()
	if master != nil && size != [2]uint16{} {
		_ = pty.Resize(master, size[0], size[1]) // a size is a courtesy
	}
	for _, src := range out {
		p.bound.Add(1)
		p.pumps.Go(func() { p.pump(src) })
	}
	close(p.started)
}

// pump moves one stream of output until its end: to the log, then to every client that wants it.
func (p *process) pump(src *source) {
	defer src.f.Close()
	bounded := sync.OnceFunc(p.bound.Done)
	defer bounded()
	for {
		buf, n, err := src.read()
		if n > 0 {
			p.distribute(src, *buf, n)
			chunks.Put(buf)
		}
		switch {
		case n > 0 && err == nil:
		case errors.Is(err, errEnough):
			bounded()
			if p.id == "" {
				return
			}
			// An exec's child goes on writing into the void rather than into a closed pipe.
			src.endless()
		case p.master == src.f && p.hungUp():
		default:
			return
		}
	}
}

// hungUp reports whether a terminal that nobody has open may be opened again; it waits a little before it says so.
func (p *process) hungUp() bool {
	select {
	case <-p.ending:
		return false
	case <-time.After(hungUp):
		return true
	}
}

func (p *process) distribute(src *source, buf []byte, n int) {
	clients := p.record(src, buf[wire.HeaderLen:wire.HeaderLen+n])
	if len(clients) == 0 {
		return
	}
	wire.PutHeader(buf, src.kind, 0, n)
	for _, a := range clients {
		a.deliver(src.kind, buf[:wire.HeaderLen+n])
	}
}

// record writes a chunk to the log and returns the clients that it is for.
func (p *process) record(src *source, chunk []byte) []*attachment {
	p.order.Lock()
	defer p.order.Unlock()
	if p.sink != nil {
		p.sink.write(src.logged(), chunk)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clients
}

// add connects a client. The answer goes out before any output. To one that wants it the answer tells which place of the log
// its output begins at.
func (p *process) add(a *attachment, answer wire.Frame) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.order.Lock()
	if a.want.Mark && p.sink != nil {
		answer.Payload = wire.EncodeMark(p.sink.mark())
	}
	p.mu.Lock()
	over := p.over
	if !over {
		p.clients = append(p.clients[:len(p.clients):len(p.clients)], a)
	}
	hurry := p.exit != nil
	p.mu.Unlock()
	p.order.Unlock()
	if hurry {
		a.hurry()
	}
	a.write(wire.AppendFrame(nil, answer))
	if over {
		a.end()
	}
}

func (p *process) remove(a *attachment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var rest []*attachment
	for _, c := range p.clients {
		if c != a {
			rest = append(rest, c)
		}
	}
	p.clients = rest
}

// feed writes a client's input to the process. It blocks while the process does not read.
func (p *process) feed(b []byte) {
	p.feeding.Lock()
	defer p.feeding.Unlock()
	p.mu.Lock()
	f := p.stdin
	p.mu.Unlock()
	if f == nil {
		return
	}
	if _, err := f.Write(b); err != nil {
		p.closeStdin()
	}
}

// inputEnded is called when a client said that its input has ended.
func (p *process) inputEnded() {
	p.mu.Lock()
	closes := p.launch.StdinOnce && !p.launch.TTY
	p.mu.Unlock()
	if closes {
		p.feeding.Lock()
		defer p.feeding.Unlock()
		p.closeStdin()
	}
}

func (p *process) closeStdin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stdin != nil && p.stdin != p.master { // a terminal has no end of input
		p.stdin.Close()
	}
	p.stdin = nil
}

// resize sets the terminal's size, now or when it starts. Without a terminal it does nothing, as with dockerd.
func (p *process) resize(rows, cols uint16) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = [2]uint16{rows, cols}
	if p.master == nil || p.exit != nil {
		return nil
	}
	return pty.Resize(p.master, rows, cols)
}

// childhood is how long a program may take to its handlers of signals: about as long as dockerd takes to answer a start.
const childhood = 250 * time.Millisecond

// listen waits, in the process's childhood, until it would not be deaf any more.
func (p *process) listen(deaf func(pid int) bool) {
	p.mu.Lock()
	child, left := p.child, childhood-time.Since(p.since)
	p.mu.Unlock()
	if child == nil || left <= 0 || !deaf(child.Pid()) {
		return
	}
	grown := time.NewTimer(left)
	defer grown.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for deaf(child.Pid()) {
		select {
		case <-p.ending:
			return
		case <-grown.C:
			return
		case <-look.C:
		}
	}
}

// signal sends a signal to the process itself.
func (p *process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	child := p.child
	p.mu.Unlock()
	if child == nil {
		return os.ErrProcessDone
	}
	return child.Signal(sig)
}

// ended notes how the process ended.
func (p *process) ended(st engine.ExitStatus) {
	p.mu.Lock()
	p.exit = &st
	clients := p.clients
	p.mu.Unlock()
	close(p.ending)
	p.closeStdin()
	for _, a := range clients {
		a.hurry()
	}
}

// drain waits until all output of a process that ended was taken and delivered. Who still holds it open after grace is not
// waited for beyond what stands there.
func (p *process) drain(grace time.Duration) {
	p.mu.Lock()
	out := p.out
	p.mu.Unlock()
	for _, src := range out {
		_ = src.f.SetReadDeadline(time.Now().Add(grace))
	}
	p.bound.Wait()
}

// finish ends the clients. Output that comes later is nobody's.
func (p *process) finish() {
	p.mu.Lock()
	p.over = true
	clients := p.clients
	p.clients = nil
	p.mu.Unlock()
	for _, a := range clients {
		a.mu.Lock()
		a.end()
		a.mu.Unlock()
	}
}

// abort ends a process that did not start.
func (p *process) abort() {
	p.finish()
	close(p.started)
}

func (p *process) status() (pid int, exit *engine.ExitStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.child != nil {
		pid = p.child.Pid()
	}
	return pid, p.exit
}

// exitStatus is how a child ended, in the engine's words.
func exitStatus(e reaper.Ended) engine.ExitStatus {
	return engine.ExitStatus{Code: e.Code(), Signal: e.Signal(), At: e.At.UTC()}
}

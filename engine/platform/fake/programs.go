package fake

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

// find gives the program that a launch names:
//
//	true, false, exit N            end with that code
//	echo WORDS…, err WORDS…        write a line to stdout, stderr
//	env                            write the environment
//	cat                            write what it reads
//	sleep SECONDS                  wait; TERM ends it
//	stubborn                       wait; only KILL ends it
//	tick N                         write N lines, a second apart
//	/denied, /dir                  cannot be executed
func find(p program) (func(*process, program) int, error) {
	refuse := func(r engine.Reason) error {
		return &engine.Error{Op: "run", Kind: engine.Invalid, Resource: engine.ResourceContainer, Reason: r, Args: p.Args[:1]}
	}
	switch p.Args[0] {
	case "/denied":
		return nil, refuse(engine.ReasonExecDenied)
	case "/dir":
		return nil, refuse(engine.ReasonExecIsDir)
	}
	if body, ok := programs[p.Args[0]]; ok {
		return body, nil
	}
	return nil, refuse(engine.ReasonExecNotFound)
}

var programs = map[string]func(*process, program) int{
	"true":  func(*process, program) int { return 0 },
	"false": func(*process, program) int { return 1 },
	"exit":  func(_ *process, p program) int { return number(p) },
	"echo": func(x *process, p program) int {
		x.write(engine.SourceStdout, strings.Join(p.Args[1:], " ")+"\n")
		return 0
	},
	"err": func(x *process, p program) int {
		x.write(engine.SourceStderr, strings.Join(p.Args[1:], " ")+"\n")
		return 0
	},
	"env": func(x *process, p program) int {
		x.write(engine.SourceStdout, strings.Join(p.Env, "\n")+"\n")
		return 0
	},
	"cat": func(x *process, _ program) int {
		lines := bufio.NewScanner(x.stdin)
		for lines.Scan() {
			x.write(engine.SourceStdout, lines.Text()+"\n")
		}
		return 0
	},
	"sleep": func(x *process, p program) int {
		select {
		case sig := <-x.signals:
			return 128 + sig
		case <-time.After(time.Duration(number(p)) * time.Second):
			return 0
		}
	},
	"stubborn": func(x *process, _ program) int {
		for sig := range x.signals {
			if sig == 9 {
				return 137
			}
		}
		return 0
	},
	"tick": func(x *process, p program) int {
		for i := range number(p) {
			x.write(engine.SourceStdout, fmt.Sprintf("tick %d\n", i))
			select {
			case sig := <-x.signals:
				return 128 + sig
			case <-time.After(time.Second):
			}
		}
		return 0
	},
}

func number(p program) int {
	if len(p.Args) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(p.Args[1])
	return n
}

// process is a running program.
type process struct {
	pid     int
	launch  engine.Launch
	log     func(engine.Source, []byte)
	signals chan int
	stdin   *io.PipeReader
	feed    *io.PipeWriter

	mu    sync.Mutex
	conns []*conn
	exit  *engine.ExitStatus
}

func newProcess(pid int, l engine.Launch, log func(engine.Source, []byte)) *process {
	p := &process{pid: pid, launch: l, log: log, signals: make(chan int, 16)}
	p.stdin, p.feed = io.Pipe()
	if !l.Stdin {
		p.feed.Close()
	}
	return p
}

// run executes the body. Its end is told after its output.
func (p *process) run(body func(*process, program) int, prog program, ended func(engine.ExitStatus)) {
	for _, c := range p.conns {
		c.join(p)
	}
	go func() {
		code := body(p, prog)
		e := engine.ExitStatus{Code: code, At: time.Now().UTC()}
		if code > 128 {
			e.Signal = code - 128
		}
		p.stdin.Close()
		p.mu.Lock()
		p.exit = &e
		conns := p.conns
		p.conns = nil
		p.mu.Unlock()
		for _, c := range conns {
			c.end()
		}
		ended(e)
	}()
}

func (p *process) ended() *engine.ExitStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

func (p *process) attach(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exit != nil {
		c.end()
		return
	}
	p.conns = append(p.conns, c)
	c.join(p)
}

func (p *process) write(src engine.Source, s string) {
	p.log(src, []byte(s))
	p.mu.Lock()
	conns := append([]*conn{}, p.conns...)
	p.mu.Unlock()
	for _, c := range conns {
		c.send(src, s)
	}
}

var signalNumbers = map[string]int{"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "TERM": 15}

func (p *process) signal(sig engine.Signal) error {
	name := strings.TrimPrefix(strings.ToUpper(string(sig)), "SIG")
	n, known := signalNumbers[name]
	if !known {
		var err error
		if n, err = strconv.Atoi(name); err != nil {
			return &engine.Error{Op: "signal", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: fmt.Errorf("invalid signal: %s", sig)}
		}
	}
	if p.ended() != nil {
		return &engine.Error{Op: "signal", Kind: engine.NotFound, Resource: engine.ResourceContainer}
	}
	select {
	case p.signals <- n:
	default: // nobody reads them: the program has ended or ignores them all
	}
	return nil
}

// conn is a client's place at a process's streams.
type conn struct {
	opts    engine.AttachOptions
	process chan *process
	once    sync.Once

	mu     sync.Mutex
	wake   *sync.Cond
	queue  []chunk
	closed bool
}

type chunk struct {
	src  engine.Source
	data string
}

func newConn(o engine.AttachOptions) *conn {
	c := &conn{opts: o, process: make(chan *process, 1)}
	c.wake = sync.NewCond(&c.mu)
	return c
}

// join tells the connection which process it feeds.
func (c *conn) join(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.process <- p
	}
}

func (c *conn) send(src engine.Source, data string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, chunk{src, data})
	c.wake.Broadcast()
}

func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.wake.Broadcast()
	c.once.Do(func() { close(c.process) })
}

// Stream moves data until the process ends, ctx ends or the input fails.
func (c *conn) Stream(ctx context.Context, stdio engine.Stdio) error {
	failed := make(chan error, 1)
	stop := context.AfterFunc(ctx, c.end)
	defer stop()
	if stdio.Stdin != nil && c.opts.Stdin {
		go func() {
			p, ok := <-c.process
			if !ok {
				return
			}
			_, err := io.Copy(p.feed, stdio.Stdin)
			if err == nil && p.launch.StdinOnce {
				p.feed.Close()
			} else if err != nil && err != io.ErrClosedPipe {
				failed <- err
				c.end()
			}
		}()
	}
	for {
		c.mu.Lock()
		for len(c.queue) == 0 && !c.closed {
			c.wake.Wait()
		}
		queue := c.queue
		c.queue = nil
		closed := c.closed
		c.mu.Unlock()
		for _, k := range queue {
			if err := deliver(c.opts, stdio, k); err != nil {
				return err
			}
		}
		if closed && len(queue) == 0 {
			select {
			case err := <-failed:
				return err
			default:
				return ctx.Err()
			}
		}
	}
}

func deliver(o engine.AttachOptions, stdio engine.Stdio, k chunk) error {
	w, want := stdio.Stdout, o.Stdout
	if k.src == engine.SourceStderr {
		w, want = stdio.Stderr, o.Stderr
	}
	if !want || w == nil {
		return nil
	}
	_, err := io.WriteString(w, k.data)
	return err
}

// Close gives up the place.
func (c *conn) Close() error {
	c.end()
	return nil
}

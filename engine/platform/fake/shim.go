package fake

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

// Shims starts shims on the host. It has the methods of lifecycle.Shims, with its own type of shim.
type Shims struct{ host *Host }

// Shims returns the host's shims.
func (h *Host) Shims() *Shims { return &Shims{h} }

// Shim is one container's supervisor. It lives on the Host; Client values of several daemons may use it one after another.
type Shim struct {
	host *Host
	id   engine.ContainerID
	sup  engine.Supervision

	mu     sync.Mutex
	main   *process
	execs  map[engine.ExecID]*process
	early  []*conn // attached before Run
	log    []engine.LogRecord
	grew   map[chan struct{}]struct{}
	past   []engine.ShimEvent
	client *Client
	ended  chan struct{} // closed when the shim has gone
}

// Client is a daemon's connection to a shim. It implements lifecycle.Shim.
type Client struct {
	*Shim
	events chan engine.ShimEvent
	once   sync.Once
}

// Start brings up a shim.
func (s *Shims) Start(_ context.Context, sup engine.Supervision) (*Client, error) {
	if err := s.host.enter("StartShim", sup.ID); err != nil {
		return nil, err
	}
	defer s.host.mu.Unlock()
	shim := &Shim{
		host: s.host, id: sup.ID, sup: sup, execs: map[engine.ExecID]*process{}, grew: map[chan struct{}]struct{}{}, ended: make(chan struct{}),
	}
	delete(s.host.exits, sup.Dir)
	s.host.shims[sup.Dir] = shim
	return shim.connect(), nil
}

// Open connects to a living shim.
func (s *Shims) Open(_ context.Context, id engine.ContainerID, dir string) (*Client, error) {
	if err := s.host.enter("OpenShim", id); err != nil {
		return nil, err
	}
	defer s.host.mu.Unlock()
	shim := s.host.shims[dir]
	if shim == nil {
		return nil, notFound("open shim", id)
	}
	return shim.connect(), nil
}

// Exit reads an exit record.
func (s *Shims) Exit(_ context.Context, dir string) (engine.ExitStatus, error) {
	if err := s.host.enter("ShimExit", ""); err != nil {
		return engine.ExitStatus{}, err
	}
	defer s.host.mu.Unlock()
	e, ok := s.host.exits[dir]
	if !ok {
		return e, notFound("read exit", "")
	}
	return e, nil
}

// Clean kills a shim and forgets its exit record.
func (s *Shims) Clean(_ context.Context, dir string) error {
	if err := s.host.enter("CleanShim", ""); err != nil {
		return err
	}
	shim := s.host.shims[dir]
	delete(s.host.shims, dir)
	delete(s.host.exits, dir)
	s.host.mu.Unlock()
	if shim != nil {
		shim.signal("", "KILL")
		shim.leave()
	}
	return nil
}

// connect makes a client that hears what came before it. An earlier client hears nothing more.
func (s *Shim) connect() *Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Client{Shim: s, events: make(chan engine.ShimEvent, 1024)}
	for _, e := range s.past {
		c.events <- e
	}
	s.client = c
	return c
}

func (s *Shim) tell(e engine.ShimEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past = append(s.past, e)
	select {
	case <-s.ended:
		return // nobody hears it
	default:
	}
	if s.client != nil {
		s.client.events <- e
	}
}

// leave ends the shim.
func (s *Shim) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		return
	default:
	}
	close(s.ended)
	for g := range s.grew {
		close(g)
		delete(s.grew, g)
	}
	if s.client != nil {
		s.client.once.Do(func() { close(s.client.events) })
	}
}

func decode(l engine.Launch) (program, error) {
	var p program
	err := json.Unmarshal(l.Payload, &p)
	return p, err
}

// Run starts main.
func (s *Shim) Run(_ context.Context, l engine.Launch) (int, error) {
	if err := s.host.enter("Run", s.id); err != nil {
		s.leave()
		return 0, err
	}
	s.host.pids++
	pid := s.host.pids
	s.host.mu.Unlock()
	p, err := decode(l)
	if err != nil {
		return 0, err
	}
	body, err := find(p)
	if err != nil {
		for _, c := range s.early {
			c.end()
		}
		s.host.mu.Lock()
		delete(s.host.shims, s.sup.Dir)
		s.host.mu.Unlock()
		s.leave()
		return 0, err
	}
	s.mu.Lock()
	main := newProcess(pid, l, s.record)
	main.conns = s.early
	s.main, s.early = main, nil
	s.mu.Unlock()
	main.run(body, p, func(e engine.ExitStatus) {
		s.host.mu.Lock()
		s.host.exits[s.sup.Dir] = e
		s.host.mu.Unlock()
		s.tell(engine.ShimEvent{Exit: e})
	})
	return pid, nil
}

// record appends to the log.
func (s *Shim) record(src engine.Source, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, engine.LogRecord{Time: time.Now(), Source: src, Data: append([]byte{}, data...)})
	if s.sup.Log.Path != "" {
		s.append(src, data)
	}
	for g := range s.grew {
		select {
		case g <- struct{}{}:
		default:
		}
	}
}

// append writes the log file as JSON lines, so that tests of several daemons find it again.
func (s *Shim) append(src engine.Source, data []byte) {
	f, err := os.OpenFile(s.sup.Log.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return // the directory went with its container
	}
	defer f.Close()
	stream := "stdout"
	if src == engine.SourceStderr {
		stream = "stderr"
	}
	_ = json.NewEncoder(f).Encode(struct {
		Log    string    `json:"log"`
		Stream string    `json:"stream"`
		Time   time.Time `json:"time"`
	}{string(data), stream, time.Now().UTC()})
}

// Attach connects to main's streams.
func (s *Shim) Attach(_ context.Context, o engine.AttachOptions) (engine.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := newConn(o)
	if s.main == nil {
		s.early = append(s.early, c)
	} else {
		s.main.attach(c)
	}
	return c, nil
}

// StartExec starts an exec.
func (s *Shim) StartExec(_ context.Context, id engine.ExecID, l engine.Launch, want engine.AttachOptions) (int, engine.Conn, error) {
	if err := s.host.enter("StartExec", s.id); err != nil {
		return 0, nil, err
	}
	s.host.pids++
	pid := s.host.pids
	s.host.mu.Unlock()
	p, err := decode(l)
	if err != nil {
		return 0, nil, err
	}
	body, err := find(p)
	if err != nil {
		return 0, nil, err
	}
	c := newConn(want)
	proc := newProcess(pid, l, func(engine.Source, []byte) {})
	proc.conns = []*conn{c}
	s.mu.Lock()
	s.execs[id] = proc
	s.mu.Unlock()
	proc.run(body, p, func(e engine.ExitStatus) { s.tell(engine.ShimEvent{Exec: id, Exit: e}) })
	return pid, c, nil
}

func (s *Shim) process(id engine.ExecID) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		return s.main
	}
	return s.execs[id]
}

// Resize records a terminal's size. A process without one is left alone.
func (s *Shim) Resize(_ context.Context, id engine.ExecID, rows, cols uint16) error {
	p := s.process(id)
	if p == nil || !p.launch.TTY {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.launch.Size = [2]uint16{rows, cols}
	return nil
}

// Signal sends a signal.
func (s *Shim) Signal(_ context.Context, id engine.ExecID, sig engine.Signal) error {
	if err := s.host.enter("Signal", s.id); err != nil {
		return err
	}
	s.host.mu.Unlock()
	return s.signal(id, sig)
}

func (s *Shim) signal(id engine.ExecID, sig engine.Signal) error {
	p := s.process(id)
	if p == nil {
		return notFound("signal", s.id)
	}
	return p.signal(sig)
}

// Forward notes what is forwarded. Listeners are not kept.
func (s *Shim) Forward(_ context.Context, all []engine.Proxy) error {
	if err := s.host.enter("Forward", s.id); err != nil {
		return err
	}
	s.host.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.main == nil || s.main.ended() != nil {
		return notFound("forward", s.id)
	}
	s.sup.Proxies = slices.Clone(all)
	return nil
}

// Forwarded lists what the shim in a directory forwards.
func (h *Host) Forwarded(dir string) []engine.Proxy {
	h.mu.Lock()
	s := h.shims[dir]
	h.mu.Unlock()
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sup.Proxies)
}

// Status tells what runs.
func (s *Shim) Status(context.Context) (engine.ShimStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := engine.ShimStatus{Execs: map[engine.ExecID]engine.ExecStatus{}}
	if s.main != nil {
		st.Pid, st.Exit = s.main.pid, s.main.ended()
	}
	for id, p := range s.execs {
		st.Execs[id] = engine.ExecStatus{Pid: p.pid, Exit: p.ended()}
	}
	return st, nil
}

// Events delivers ends.
func (c *Client) Events() <-chan engine.ShimEvent { return c.events }

// Logged delivers after the log grew.
func (s *Shim) Logged(context.Context) (<-chan struct{}, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := make(chan struct{}, 1)
	select {
	case <-s.ended:
		close(g)
		return g, func() {}, nil
	default:
	}
	s.grew[g] = struct{}{}
	return g, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.grew, g)
	}, nil
}

// Release ends a shim whose main has ended.
func (c *Client) Release(context.Context) error {
	c.host.mu.Lock()
	if c.host.shims[c.sup.Dir] == c.Shim {
		delete(c.host.shims, c.sup.Dir)
	}
	c.host.mu.Unlock()
	c.leave()
	return nil
}

// Close gives up the connection.
func (c *Client) Close() error { return nil }

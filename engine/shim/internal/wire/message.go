package wire

import (
	"errors"
	"slices"
	"time"

	"github.com/xcengine/xc/engine"
)

// Hello opens a control connection. The one that a shim inherits brings its Supervision; the listeners of its proxies are
// inherited, too, in their order.
type Hello struct {
	Version     int
	Supervision *engine.Supervision
}

// Encode renders the message.
func (h Hello) Encode() []byte {
	var e encoder
	e.int(1, int64(h.Version))
	if h.Supervision != nil {
		e.message(2, supervision(*h.Supervision))
	}
	return e.b
}

// DecodeHello reads the message.
func DecodeHello(b []byte) (Hello, error) {
	var h Hello
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			h.Version = int(d.int())
		case 2:
			s, err := decodeSupervision(d.value)
			if err != nil {
				return h, err
			}
			h.Supervision = &s
		}
	}
	return h, d.err
}

// The container's directory is not said: it is the shim's argument and becomes its own working directory.
func supervision(s engine.Supervision) encoder {
	var e encoder
	e.string(1, string(s.ID))
	e.bool(2, s.TreeExit)
	e.string(3, s.Log.Driver)
	e.string(4, s.Log.Path)
	e.int(5, s.Log.MaxSize)
	e.int(6, int64(s.Log.MaxFiles))
	e.bool(7, s.Log.Compress)
	for _, k := range sortedKeys(s.Log.Attrs) {
		var one encoder
		one.string(1, k)
		one.string(2, s.Log.Attrs[k])
		e.message(8, one)
	}
	for _, p := range s.Proxies {
		var one encoder
		one.string(1, string(p.Proto))
		one.string(2, p.Listen.String())
		one.string(3, p.Target.String())
		e.message(9, one)
	}
	return e
}

func decodeSupervision(b []byte) (engine.Supervision, error) {
	var s engine.Supervision
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			s.ID = engine.ContainerID(d.string())
		case 2:
			s.TreeExit = d.bool()
		case 3:
			s.Log.Driver = d.string()
		case 4:
			s.Log.Path = d.string()
		case 5:
			s.Log.MaxSize = d.int()
		case 6:
			s.Log.MaxFiles = int(d.int())
		case 7:
			s.Log.Compress = d.bool()
		case 8:
			d.pair(&s.Log.Attrs)
		case 9:
			s.Proxies = append(s.Proxies, d.proxy())
		}
	}
	return s, d.err
}

func (d *decoder) pair(into *map[string]string) {
	one := decoder{b: d.value}
	var k, v string
	for one.next() {
		switch one.tag {
		case 1:
			k = one.string()
		case 2:
			v = one.string()
		}
	}
	d.join(one)
	if *into == nil {
		*into = make(map[string]string)
	}
	(*into)[k] = v
}

func (d *decoder) proxy() engine.Proxy {
	one := decoder{b: d.value}
	var p engine.Proxy
	for one.next() {
		switch one.tag {
		case 1:
			p.Proto = engine.Proto(one.string())
		case 2:
			p.Listen = one.addrPort()
		case 3:
			p.Target = one.addrPort()
		}
	}
	d.join(one)
	return p
}

// Welcome answers Hello with the shim's own version and pid.
type Welcome struct{ Version, Pid int }

// Encode renders the message.
func (w Welcome) Encode() []byte {
	var e encoder
	e.int(1, int64(w.Version))
	e.int(2, int64(w.Pid))
	return e.b
}

// DecodeWelcome reads the message.
func DecodeWelcome(b []byte) (Welcome, error) {
	var w Welcome
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			w.Version = int(d.int())
		case 2:
			w.Pid = int(d.int())
		}
	}
	return w, d.err
}

func launch(l engine.Launch) encoder {
	var e encoder
	e.string(1, l.Platform)
	e.bytes(2, l.Payload)
	e.bool(3, l.TTY)
	e.int(4, int64(l.Size[0]))
	e.int(5, int64(l.Size[1]))
	e.bool(6, l.Stdin)
	e.bool(7, l.StdinOnce)
	return e
}

// EncodeLaunch renders what Run carries.
func EncodeLaunch(l engine.Launch) []byte { return launch(l).b }

// DecodeLaunch reads what Run carries.
func DecodeLaunch(b []byte) (engine.Launch, error) {
	var l engine.Launch
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			l.Platform = d.string()
		case 2:
			l.Payload = d.bytes()
		case 3:
			l.TTY = d.bool()
		case 4:
			l.Size[0] = uint16(d.int())
		case 5:
			l.Size[1] = uint16(d.int())
		case 6:
			l.Stdin = d.bool()
		case 7:
			l.StdinOnce = d.bool()
		}
	}
	return l, d.err
}

// Streams says which streams of a process a connection wants.
type Streams struct{ Stdin, Stdout, Stderr bool }

func (s Streams) encoder() encoder {
	var e encoder
	e.bool(1, s.Stdin)
	e.bool(2, s.Stdout)
	e.bool(3, s.Stderr)
	return e
}

// Encode renders the message.
func (s Streams) Encode() []byte { return s.encoder().b }

// DecodeStreams reads the message.
func DecodeStreams(b []byte) (Streams, error) {
	var s Streams
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			s.Stdin = d.bool()
		case 2:
			s.Stdout = d.bool()
		case 3:
			s.Stderr = d.bool()
		}
	}
	return s, d.err
}

// ExecStart opens a connection that starts a further process.
type ExecStart struct {
	ID      engine.ExecID
	Launch  engine.Launch
	Streams Streams
}

// Encode renders the message.
func (x ExecStart) Encode() []byte {
	var e encoder
	e.string(1, string(x.ID))
	e.message(2, launch(x.Launch))
	e.message(3, x.Streams.encoder())
	return e.b
}

// DecodeExecStart reads the message.
func DecodeExecStart(b []byte) (ExecStart, error) {
	var x ExecStart
	var err error
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			x.ID = engine.ExecID(d.string())
		case 2:
			x.Launch, err = DecodeLaunch(d.value)
		case 3:
			x.Streams, err = DecodeStreams(d.value)
		}
		if err != nil {
			return x, err
		}
	}
	return x, d.err
}

// Target names a process and what to do with it. The empty Exec is main.
type Target struct {
	Exec       engine.ExecID
	Rows, Cols uint16
	Signal     engine.Signal
}

// Encode renders the message.
func (t Target) Encode() []byte {
	var e encoder
	e.string(1, string(t.Exec))
	e.int(2, int64(t.Rows))
	e.int(3, int64(t.Cols))
	e.string(4, string(t.Signal))
	return e.b
}

// DecodeTarget reads the message.
func DecodeTarget(b []byte) (Target, error) {
	var t Target
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			t.Exec = engine.ExecID(d.string())
		case 2:
			t.Rows = uint16(d.int())
		case 3:
			t.Cols = uint16(d.int())
		case 4:
			t.Signal = engine.Signal(d.string())
		}
	}
	return t, d.err
}

// EncodePid renders the answer to Run and Exec.
func EncodePid(pid int) []byte {
	var e encoder
	e.int(1, int64(pid))
	return e.b
}

// DecodePid reads the answer to Run and Exec.
func DecodePid(b []byte) (int, error) {
	pid := 0
	d := decoder{b: b}
	for d.next() {
		if d.tag == 1 {
			pid = int(d.int())
		}
	}
	return pid, d.err
}

func process(id engine.ExecID, pid int, exit *engine.ExitStatus) encoder {
	var e encoder
	e.string(1, string(id))
	e.int(2, int64(pid))
	if exit != nil {
		var x encoder
		x.int(1, int64(exit.Code))
		x.int(2, int64(exit.Signal))
		if !exit.At.IsZero() {
			x.int(3, exit.At.UnixNano())
		}
		e.message(3, x)
	}
	return e
}

func decodeProcess(b []byte) (id engine.ExecID, pid int, exit *engine.ExitStatus, err error) {
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			id = engine.ExecID(d.string())
		case 2:
			pid = int(d.int())
		case 3:
			exit = d.exit()
		}
	}
	return id, pid, exit, d.err
}

func (d *decoder) exit() *engine.ExitStatus {
	x := decoder{b: d.value}
	var s engine.ExitStatus
	for x.next() {
		switch x.tag {
		case 1:
			s.Code = int(x.int())
		case 2:
			s.Signal = int(x.int())
		case 3:
			s.At = time.Unix(0, x.int()).UTC()
		}
	}
	d.join(x)
	return &s
}

// EncodeEvent renders the end of a process.
func EncodeEvent(ev engine.ShimEvent) []byte { return process(ev.Exec, 0, &ev.Exit).b }

// DecodeEvent reads the end of a process.
func DecodeEvent(b []byte) (engine.ShimEvent, error) {
	id, _, exit, err := decodeProcess(b)
	if err == nil && exit == nil {
		err = errField
	}
	if err != nil {
		return engine.ShimEvent{}, err
	}
	return engine.ShimEvent{Exec: id, Exit: *exit}, nil
}

// EncodeStatus renders the answer to Status.
func EncodeStatus(st engine.ShimStatus) []byte {
	var e encoder
	e.message(1, process("", st.Pid, st.Exit))
	for id, x := range st.Execs {
		e.message(2, process(id, x.Pid, x.Exit))
	}
	return e.b
}

// DecodeStatus reads the answer to Status.
func DecodeStatus(b []byte) (engine.ShimStatus, error) {
	st := engine.ShimStatus{Execs: make(map[engine.ExecID]engine.ExecStatus)}
	d := decoder{b: b}
	for d.next() {
		if d.tag != 1 && d.tag != 2 {
			continue
		}
		id, pid, exit, err := decodeProcess(d.value)
		if err != nil {
			return st, err
		}
		if d.tag == 1 {
			st.Pid, st.Exit = pid, exit
		} else {
			st.Execs[id] = engine.ExecStatus{Pid: pid, Exit: exit}
		}
	}
	return st, d.err
}

// EncodeError renders an error. Kinds go by their words: their numbers are no contract.
func EncodeError(err error) []byte {
	var en encoder
	var e *engine.Error
	if !errors.As(err, &e) {
		e = &engine.Error{Kind: engine.KindOf(err), Err: err}
	}
	en.string(1, e.Op)
	en.string(2, e.Kind.Error())
	en.string(3, string(e.Resource))
	en.string(4, e.ID)
	en.string(5, string(e.Reason))
	en.strings(6, e.Args)
	if e.Err != nil {
		en.string(7, e.Err.Error())
	}
	return en.b
}

// DecodeError reads an error.
func DecodeError(b []byte) error {
	e := &engine.Error{}
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			e.Op = d.string()
		case 2:
			for _, k := range engine.Kinds() {
				if k.Error() == d.string() {
					e.Kind = k
				}
			}
		case 3:
			e.Resource = engine.Resource(d.string())
		case 4:
			e.ID = d.string()
		case 5:
			e.Reason = engine.Reason(d.string())
		case 6:
			e.Args = append(e.Args, d.element())
		case 7:
			e.Err = errors.New(d.string())
		}
	}
	if d.err != nil {
		e.Err = errors.Join(e.Err, d.err)
	}
	return e
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

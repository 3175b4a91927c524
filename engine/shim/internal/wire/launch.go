package wire

import (
	"github.com/xcengine/xc/engine"
)

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

// Streams says which streams of a process a connection wants, and beside which control connection it stands.
type Streams struct {
	Stdin, Stdout, Stderr bool
	Session               uint64
	Mark                  bool // which place of the log the output begins at
}

func (s Streams) encoder() encoder {
	var e encoder
	e.bool(1, s.Stdin)
	e.bool(2, s.Stdout)
	e.bool(3, s.Stderr)
	e.int(4, int64(s.Session))
	e.bool(5, s.Mark)
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
		case 4:
			s.Session = uint64(d.int())
		case 5:
			s.Mark = d.bool()
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

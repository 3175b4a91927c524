package wire

import "github.com/xcengine/xc/engine"

// EncodeMark renders the answer to Attach: a place in the log, or nothing.
func EncodeMark(m *engine.LogMark) []byte {
	if m == nil {
		return nil
	}
	var e encoder
	e.int(1, int64(m.File))
	e.int(2, m.Size)
	e.bytes(3, m.Rest[engine.SourceStdout])
	e.bytes(4, m.Rest[engine.SourceStderr])
	return e.b
}

// DecodeMark reads the answer to Attach; nil when it names no place, as that of a shim that knows none.
func DecodeMark(b []byte) (*engine.LogMark, error) {
	if len(b) == 0 {
		return nil, nil
	}
	m := engine.LogMark{Rest: map[engine.Source][]byte{}}
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			m.File = uint64(d.int())
		case 2:
			m.Size = d.int()
		case 3:
			m.Rest[engine.SourceStdout] = d.bytes()
		case 4:
			m.Rest[engine.SourceStderr] = d.bytes()
		}
	}
	return &m, d.err
}

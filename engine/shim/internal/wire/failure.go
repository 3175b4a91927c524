package wire

import (
	"errors"

	"github.com/xcengine/xc/engine"
)

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

package wire

import "github.com/xcengine/xc/engine"

// Forwarding says everything that a shim is to forward from now on: what it forwards already, and where to, and new ones,
// whose listeners come with the message in their order.
type Forwarding struct {
	Present, New []engine.Proxy
}

// Encode renders the message.
func (f Forwarding) Encode() []byte {
	var e encoder
	e.proxies(1, f.Present)
	e.proxies(2, f.New)
	return e.b
}

// DecodeForwarding reads the message.
func DecodeForwarding(b []byte) (Forwarding, error) {
	var f Forwarding
	d := decoder{b: b}
	for d.next() {
		switch d.tag {
		case 1:
			f.Present = append(f.Present, d.proxy())
		case 2:
			f.New = append(f.New, d.proxy())
		}
	}
	return f, d.err
}

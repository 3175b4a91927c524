package wire

import (
	"slices"

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
	e.proxies(9, s.Proxies)
	if s.Log.Syslog != nil {
		e.message(10, syslog(*s.Log.Syslog))
	}
	return e
}

func syslog(s engine.Syslog) encoder {
	var e encoder
	e.string(1, s.Network)
	e.string(2, s.Address)
	e.int(3, int64(s.Facility))
	e.string(4, s.Format)
	e.string(5, s.Tag)
	e.string(6, s.Hostname)
	e.int(7, s.Buffer)
	return e
}

func (e *encoder) proxies(tag uint64, all []engine.Proxy) {
	for _, p := range all {
		var one encoder
		one.string(1, string(p.Proto))
		one.addrPort(2, p.Listen)
		one.addrPort(3, p.Target)
		one.string(4, p.Inside)
		one.string(5, p.Outside)
		e.message(tag, one)
	}
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
		case 10:
			s.Log.Syslog = d.syslog()
		}
	}
	return s, d.err
}

func (d *decoder) syslog() *engine.Syslog {
	one := decoder{b: d.value}
	var s engine.Syslog
	for one.next() {
		switch one.tag {
		case 1:
			s.Network = one.string()
		case 2:
			s.Address = one.string()
		case 3:
			s.Facility = int(one.int())
		case 4:
			s.Format = one.string()
		case 5:
			s.Tag = one.string()
		case 6:
			s.Hostname = one.string()
		case 7:
			s.Buffer = one.int()
		}
	}
	d.join(one)
	return &s
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
		case 4:
			p.Inside = one.string()
		case 5:
			p.Outside = one.string()
		}
	}
	d.join(one)
	return p
}

// Welcome answers Hello with the shim's own version and pid, and with the number of the control connection, by which the
// same daemon's other connections name it.
type Welcome struct {
	Version, Pid int
	Session      uint64
}

// Encode renders the message.
func (w Welcome) Encode() []byte {
	var e encoder
	e.int(1, int64(w.Version))
	e.int(2, int64(w.Pid))
	e.int(3, int64(w.Session))
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
		case 3:
			w.Session = uint64(d.int())
		}
	}
	return w, d.err
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

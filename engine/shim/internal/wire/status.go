package wire

import (
	"time"

	"github.com/xcengine/xc/engine"
)

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

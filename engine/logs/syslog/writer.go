package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine"
)

const (
	// maxLine is dockerd's, as in jsonfile.
	maxLine = 16 << 10
	// dialTime and writeTime bound how long the container waits for the receiver.
	dialTime  = 5 * time.Second
	writeTime = 5 * time.Second
	// rest is how long no connection is tried after one has failed.
	rest = time.Second
	// lastTime bounds the sending of what waits when the log is closed.
	lastTime = 5 * time.Second
)

// local are the sockets of a host's own syslogd, as on Linux, macOS and the BSDs.
var local = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

// Writer sends a container's output to a syslog receiver. Its methods are safe for concurrent use.
type Writer struct {
	to  engine.Syslog
	pid int
	now func() time.Time

	mu     sync.Mutex // of what follows, and one message at a time unless there is a queue
	part   map[engine.Source][]byte
	closed bool
	queue  *queue // nil: the container waits
	done   chan struct{}

	conn  net.Conn
	again time.Time // no connection is tried before
	out   []byte
}

// Open connects to the receiver. Over UDP nobody knows whether there is one.
func Open(to engine.Syslog) (*Writer, error) {
	w := &Writer{to: to, pid: os.Getpid(), now: time.Now, part: map[engine.Source][]byte{}}
	var err error
	if w.conn, err = dial(to); err != nil {
		return nil, err
	}
	if to.Buffer > 0 {
		w.queue, w.done = newQueue(to.Buffer), make(chan struct{})
		go w.sendQueued()
	}
	return w, nil
}

func dial(to engine.Syslog) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTime}
	if to.Network != "" {
		return dialSocket(d, to.Network, to.Address)
	}
	for _, path := range local {
		if c, err := dialSocket(d, "unix", path); err == nil {
			return c, nil
		}
	}
	return nil, errors.New("no syslogd answers on this host's sockets: give its address by the option syslog-address")
}

// dialSocket takes a unix socket for one of datagrams, as syslogds have them, and for a stream where it is one.
func dialSocket(d net.Dialer, network, address string) (net.Conn, error) {
	if network == "unix" {
		if c, err := d.Dial("unixgram", address); err == nil || !errors.Is(err, syscall.EPROTOTYPE) {
			return c, err
		}
	}
	return d.Dial(network, address)
}

// Write sends the lines that are complete and keeps the rest of the last one. An error tells that lines were lost; the next
// call may succeed.
func (w *Writer) Write(src engine.Source, p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return fs.ErrClosed
	}
	var errs []error
	for len(p) > 0 {
		have := w.part[src]
		room := maxLine - len(have)
		i := bytes.IndexByte(p[:min(len(p), room)], '\n')
		switch {
		case i >= 0:
			errs = append(errs, w.line(src, append(have, p[:i]...)))
			p = p[i+1:]
		case len(p) >= room:
			errs = append(errs, w.line(src, append(have, p[:room]...)))
			p = p[room:]
		default:
			w.part[src] = append(have, p...)
			return errors.Join(errs...)
		}
		w.part[src] = have[:0]
	}
	return errors.Join(errs...)
}

// Finish sends lines that have no line feed: their source will not write again.
func (w *Writer) Finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, src := range []engine.Source{engine.SourceStdout, engine.SourceStderr} {
		errs = append(errs, w.line(src, w.part[src]))
		w.part[src] = nil
	}
	return errors.Join(errs...)
}

// Close sends what waits, for a while, and closes the connection. It may be repeated.
func (w *Writer) Close() error {
	err := w.Finish()
	w.mu.Lock()
	closed := w.closed
	w.closed = true
	w.mu.Unlock()
	if closed {
		return nil
	}
	if w.queue != nil {
		w.queue.end()
		select {
		case <-w.done:
		case <-time.After(lastTime):
			return errors.Join(err, errors.New("syslog: lines that waited were not sent"))
		}
	}
	if w.conn == nil {
		return err
	}
	return errors.Join(err, w.conn.Close())
}

// line sends or queues one line; the caller holds mu.
func (w *Writer) line(src engine.Source, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	w.out = appendMessage(w.out[:0], w.to, src, w.pid, w.now(), text)
	if w.queue != nil {
		w.queue.put(bytes.Clone(w.out))
		return nil
	}
	return w.send(w.out)
}

// sendQueued sends what is queued until the queue ends.
func (w *Writer) sendQueued() {
	defer close(w.done)
	for {
		message, ok := w.queue.take()
		if !ok {
			return
		}
		_ = w.send(message) // it is lost, as what finds the queue full
	}
}

// send sends one message, by a new connection when the present one fails. One call goes on at a time.
func (w *Writer) send(message []byte) error {
	if w.conn != nil {
		if err := w.write(message); err == nil || errors.Is(err, syscall.EMSGSIZE) {
			return lost(err)
		}
		w.conn.Close()
		w.conn = nil
	}
	if w.now().Before(w.again) {
		return lost(errors.New("the receiver is away"))
	}
	var err error
	if w.conn, err = dial(w.to); err == nil {
		if err = w.write(message); err == nil {
			return nil
		}
		w.conn.Close()
		w.conn = nil
	}
	w.again = w.now().Add(rest)
	return lost(err)
}

func (w *Writer) write(message []byte) error {
	if err := w.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := w.conn.Write(message)
	return err
}

func lost(err error) error {
	if err != nil {
		return fmt.Errorf("syslog: a line was lost: %w", err)
	}
	return nil
}

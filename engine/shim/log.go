package shim

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/xcengine/xc/engine"
)

// Log takes the output of a main process. Its methods are safe for concurrent use. engine/logs/jsonfile has one; what opens
// it is handed to Serve, so that this package does not depend on a form of logs.
type Log interface {
	// Write takes what a stream brought. Lines that are complete are readable when it returns; after an error they are lost,
	// and the next call may succeed.
	Write(src engine.Source, p []byte) error
	// Finish is called when no more output comes: what has no line feed yet becomes readable.
	Finish() error
	// Close ends the log; it may take the time that compressing an old file takes.
	Close() error
}

// Marker is a Log that can tell where it has come to.
type Marker interface {
	Mark() (engine.LogMark, error)
}

// growth is a log that tells when it has grown.
type growth struct {
	log  Log // nil: nothing is kept
	errs *slog.Logger

	size atomic.Uint64 // how often it has grown
	grew func()

	mu      sync.Mutex
	failing bool
	closed  bool // it will not grow again
}

func (g *growth) write(src engine.Source, p []byte) {
	if g.log == nil {
		return
	}
	g.note(g.log.Write(src, p))
	g.size.Add(1)
	g.grew()
}

// mark tells where the log has come to; nil when it cannot.
func (g *growth) mark() *engine.LogMark {
	marker, ok := g.log.(Marker)
	if !ok {
		return nil
	}
	m, err := marker.Mark()
	if err != nil {
		return nil // it is closed: it will not grow beyond what a reader finds
	}
	return &m
}

// note complains of a failing log once, not at every line.
func (g *growth) note(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil && !g.failing {
		g.errs.Error("write log", "error", err)
	}
	g.failing = err != nil
}

// finish writes what is left.
func (g *growth) finish() {
	if g.log != nil {
		g.note(g.log.Finish())
	}
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.size.Add(1)
	g.grew()
}

func (g *growth) finished() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

func (g *growth) close() {
	if g.log == nil {
		return
	}
	if err := g.log.Close(); err != nil {
		g.errs.Error("close log", "error", err)
	}
}

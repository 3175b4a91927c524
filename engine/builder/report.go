package builder

import (
	"io"
	"os"
	"sync"

	"github.com/xcengine/xc/engine"
)

// reporter brings what stages tell, which are built at once, into the order of the recipe: the first stage that is not done
// speaks, what the others say is kept until it is their turn. What their commands write is kept in files: it may be more than
// memory holds, and a stage that had to wait with it might have what another waits for.
type reporter struct {
	to  engine.BuildFunc
	dir string // for the files

	mu    sync.Mutex
	turn  int
	done  []bool
	queue []waiting
}

// waiting is what one stage has to tell.
type waiting struct {
	events []told
	output *os.File // what the events' commands wrote, one after the other; nil: nothing. It has no name
	lost   bool     // some of it could not be kept
}

// told is an event that waits. Of an output the data is in the file.
type told struct {
	engine.BuildEvent
	size int64
}

func newReporter(stages int, dir string, to engine.BuildFunc) *reporter {
	return &reporter{to: to, dir: dir, done: make([]bool, stages), queue: make([]waiting, stages)}
}

// of is the voice of one stage.
func (r *reporter) of(place int) engine.BuildFunc {
	return func(e engine.BuildEvent) {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch w := &r.queue[place]; {
		case place == r.turn:
			r.to(e)
		case e.Kind == engine.BuildOutput:
			w.keep(e, r.dir)
		default:
			w.events = append(w.events, told{BuildEvent: e})
		}
	}
}

// keep keeps an output. One that goes on is one with what it goes on from.
func (w *waiting) keep(e engine.BuildEvent, dir string) {
	if w.lost {
		return
	}
	n, err := w.write(e.Data, dir)
	e.Data = nil
	if last := len(w.events) - 1; last >= 0 && w.events[last].Kind == engine.BuildOutput && w.events[last].Stderr == e.Stderr {
		w.events[last].size += int64(n)
	} else {
		w.events = append(w.events, told{e, int64(n)})
	}
	if err != nil {
		w.lost = true
		w.events = append(w.events, told{BuildEvent: engine.BuildEvent{Kind: engine.BuildWarning, Text: "[Warning] the further output of this stage is lost: " + err.Error()}})
	}
}

func (w *waiting) write(data []byte, dir string) (int, error) {
	if w.output == nil {
		f, err := os.CreateTemp(dir, "output-")
		if err != nil {
			return 0, err
		}
		if err := os.Remove(f.Name()); err != nil {
			return 0, err
		}
		w.output = f
	}
	return w.output.Write(data)
}

// finish ends a stage's turn; the next ones' words come out as far as they are due.
func (r *reporter) finish(place int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[place] = true
	for r.turn < len(r.done) && r.done[r.turn] {
		if r.turn++; r.turn == len(r.done) {
			return
		}
		r.queue[r.turn].tell(r.to)
	}
}

func (w *waiting) tell(to engine.BuildFunc) {
	if w.output != nil {
		defer w.output.Close()
		if _, err := w.output.Seek(0, io.SeekStart); err != nil {
			to(engine.BuildEvent{Kind: engine.BuildWarning, Text: "[Warning] output is lost: " + err.Error()})
		}
	}
	for _, e := range w.events {
		if e.Kind != engine.BuildOutput {
			to(e.BuildEvent)
			continue
		}
		if _, err := io.CopyN(output{to, e.Stderr}, w.output, e.size); err != nil {
			to(engine.BuildEvent{Kind: engine.BuildWarning, Text: "[Warning] output is lost: " + err.Error()})
		}
	}
	*w = waiting{}
}

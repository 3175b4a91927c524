package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// progress shows how far a long operation has come. On a terminal each part has a line of its own, drawn anew as it changes;
// elsewhere a line tells each change of a part's status once.
type progress struct {
	w      io.Writer
	width  int // of the terminal; 0 is none
	redraw time.Duration

	mu    sync.Mutex
	order []string
	parts map[string]*part
	drawn int // lines on the screen that are ours
	last  time.Time
}

type part struct {
	status         string
	current, total int64
	begun          time.Time
}

// redrawEvery bounds how often the screen is drawn.
const redrawEvery = 100 * time.Millisecond

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, redraw: redrawEvery, parts: map[string]*part{}}
	if s := size(terminal(w)); s != nil {
		p.width = int(s.Cols)
	}
	return p
}

// report takes what the daemon tells.
func (p *progress) report(l wire.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.ID == "" || p.width == 0 {
		p.say(l)
		return
	}
	at := p.parts[l.ID]
	if at == nil {
		at = &part{begun: time.Now()}
		p.parts[l.ID] = at
		p.order = append(p.order, l.ID)
	}
	changed := at.status != l.Status
	if changed {
		at.begun = time.Now()
	}
	at.status, at.current, at.total = l.Status, l.Current, l.Total
	if changed || time.Since(p.last) >= p.redraw {
		p.draw()
	}
}

// say writes a line: what is of no part, and elsewhere than on a terminal every new status.
func (p *progress) say(l wire.Progress) {
	if l.Stream != "" {
		p.erase()
		_, _ = io.WriteString(p.w, l.Stream)
		p.draw()
		return
	}
	if l.ID == "" {
		p.erase()
		_, _ = fmt.Fprintln(p.w, l.Status)
		p.draw()
		return
	}
	at := p.parts[l.ID]
	if at == nil {
		at = &part{}
		p.parts[l.ID] = at
	}
	if at.status != l.Status {
		at.status = l.Status
		_, _ = fmt.Fprintf(p.w, "%s: %s\n", l.ID, l.Status)
	}
}

// done draws the last state and leaves it on the screen.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw()
	p.drawn, p.order = 0, nil
}

func (p *progress) erase() {
	if p.drawn > 0 {
		_, _ = fmt.Fprintf(p.w, "\x1b[%dA\x1b[J", p.drawn)
	}
	p.drawn = 0
}

func (p *progress) draw() {
	if p.width == 0 || len(p.order) == 0 {
		return
	}
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn)
	}
	for _, id := range p.order {
		b.WriteString(clip(p.parts[id].line(id), p.width-1))
		b.WriteString("\x1b[K\n")
	}
	_, _ = io.WriteString(p.w, b.String())
	p.drawn, p.last = len(p.order), time.Now()
}

// barWidth is how many characters a bar has.
const barWidth = 30

func (p *part) line(id string) string {
	text := fmt.Sprintf("%-12s  %-12s", id, p.status)
	switch {
	case p.total > 0 && p.current <= p.total:
		full := int(p.current * barWidth / p.total)
		text += fmt.Sprintf("  [%s%s]  %s of %s", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), bytesText(p.current), bytesText(p.total))
	case p.current > 0:
		text += "  " + bytesText(p.current)
	}
	if since := time.Since(p.begun); p.current > 0 && p.current < p.total && since > time.Second {
		text += fmt.Sprintf("  %s/s", bytesText(int64(float64(p.current)/since.Seconds())))
	}
	return text
}

func clip(s string, width int) string {
	if r := []rune(s); len(r) > width && width > 0 {
		return string(r[:width])
	}
	return s
}

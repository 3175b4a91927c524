package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// progress shows how far a long operation has come. On a terminal each part has a line of its own, drawn anew as it changes;
// elsewhere a line tells each change of a part's status once.
type progress struct {
	w io.Writer
	// window tells how large the terminal is, which may change at any time; nil is none.
	window func() (rows, cols int)
	redraw time.Duration

	mu    sync.Mutex
	order []string
	parts map[string]*part
	drawn []int // the widths of the lines on the screen that are ours
	last  time.Time
	told  int // how often something was reported
}

type part struct {
	status         string
	current, total int64
	begun          time.Time
	told           int // which report was its last
}

// redrawEvery bounds how often the screen is drawn.
const redrawEvery = 100 * time.Millisecond

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, redraw: redrawEvery, parts: map[string]*part{}}
	if t := terminal(w); size(t) != nil && os.Getenv("TERM") != "dumb" {
		p.window = func() (rows, cols int) {
			if s := size(t); s != nil {
				return int(s.Rows), int(s.Cols)
			}
			return 24, 80
		}
	}
	return p
}

// report takes what the daemon tells.
func (p *progress) report(l wire.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.ID == "" || p.window == nil {
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
	p.told++
	at.status, at.current, at.total, at.told = l.Status, l.Current, l.Total, p.told
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
	p.drawn, p.order = nil, nil
}

// erase takes our lines off the screen.
func (p *progress) erase() {
	if len(p.drawn) > 0 {
		_, cols := p.window()
		_, _ = fmt.Fprintf(p.w, "\x1b[%dA\x1b[J", p.height(cols))
	}
	p.drawn = nil
}

// height is how many rows our lines take: in a window that has become narrower they are broken.
func (p *progress) height(cols int) (rows int) {
	for _, width := range p.drawn {
		rows += max(1, (width+cols-1)/max(1, cols))
	}
	return rows
}

func (p *progress) draw() {
	if p.window == nil || len(p.order) == 0 {
		return
	}
	rows, cols := p.window()
	var b strings.Builder
	if len(p.drawn) > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", p.height(cols))
	}
	p.drawn = p.drawn[:0]
	for _, id := range p.fitting(rows - 1) {
		text := clip(p.parts[id].line(id), cols-1)
		b.WriteString(text + "\n")
		p.drawn = append(p.drawn, utf8.RuneCountInString(text))
	}
	_, _ = io.WriteString(p.w, b.String())
	p.last = time.Now()
}

// fitting are the parts that a window of so many rows has room for, in their order. Those that have said nothing for longest are left
// out: what has scrolled out of a window cannot be drawn anew.
func (p *progress) fitting(room int) []string {
	room = max(1, room)
	if len(p.order) <= room {
		return p.order
	}
	latest := slices.SortedFunc(slices.Values(p.order), func(a, b string) int { return p.parts[b].told - p.parts[a].told })
	oldest := p.parts[latest[room-1]].told
	return slices.DeleteFunc(slices.Clone(p.order), func(id string) bool { return p.parts[id].told < oldest })
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

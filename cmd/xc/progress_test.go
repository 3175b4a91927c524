package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// screen is a terminal, as far as progress needs one: it breaks lines, scrolls, goes up and clears below.
type screen struct {
	rows, cols int
	lines      []string // the last is the cursor's, at its end
	top        int      // lines above it have scrolled out
}

func (s *screen) Write(p []byte) (int, error) {
	for rest := string(p); rest != ""; {
		if m := regexp.MustCompile(`^\x1b\[([0-9]*)([A-Z])`).FindStringSubmatch(rest); m != nil {
			switch n, _ := strconv.Atoi(m[1]); m[2] {
			case "A": // nothing is reached above the window
				s.lines = s.lines[:max(s.top, len(s.lines)-1-n)+1]
				s.lines[len(s.lines)-1] = ""
			case "J":
			default:
				return 0, fmt.Errorf("unknown sequence %q", m[0])
			}
			rest = rest[len(m[0]):]
			continue
		}
		c := []rune(rest)[0]
		last := len(s.lines) - 1
		switch {
		case c == '\n':
			s.lines = append(s.lines, "")
		case len([]rune(s.lines[last])) == s.cols:
			s.lines = append(s.lines, string(c))
		default:
			s.lines[last] += string(c)
		}
		s.top = max(s.top, len(s.lines)-s.rows)
		rest = rest[len(string(c)):]
	}
	return len(p), nil
}

// resize breaks the lines anew, as terminals do.
func (s *screen) resize(rows, cols int) {
	var lines []string
	for _, l := range s.lines {
		r := []rune(l)
		for len(r) > cols {
			lines, r = append(lines, string(r[:cols])), r[cols:]
		}
		lines = append(lines, string(r))
	}
	s.rows, s.cols, s.lines = rows, cols, lines
	s.top = max(0, len(lines)-rows)
}

func newScreen(rows, cols int) (*screen, *progress) {
	s := &screen{rows: rows, cols: cols, lines: []string{""}}
	p := newProgress(s)
	p.redraw, p.window = 0, func() (int, int) { return s.rows, s.cols }
	return s, p
}

func TestProgressOnATerminal(t *testing.T) {
	s, p := newScreen(24, 100)
	p.report(wire.Progress{Status: "begins"})
	for i := range 5 {
		for _, id := range []string{"one", "two"} {
			p.report(wire.Progress{ID: id, Status: "Downloading", Current: int64(i) << 20, Total: 4 << 20})
		}
	}
	p.report(wire.Progress{Status: "said meanwhile"})
	p.report(wire.Progress{ID: "one", Status: "done"})
	p.done()
	if len(s.lines) != 5 || s.lines[0] != "begins" || s.lines[1] != "said meanwhile" || !strings.HasPrefix(s.lines[2], "one           done") ||
		!strings.Contains(s.lines[3], "["+strings.Repeat("=", barWidth)+"]") {
		t.Errorf("the screen has\n%s", strings.Join(s.lines, "\n"))
	}
}

// A window that becomes narrower breaks what is drawn; it is found again all the same.
func TestProgressInAWindowThatChanges(t *testing.T) {
	s, p := newScreen(24, 100)
	for i, cols := range []int{100, 40, 30, 120, 12, 80} {
		s.resize(24, cols)
		for _, id := range []string{"0123456789ab", "ba9876543210"} {
			p.report(wire.Progress{ID: id, Status: "Downloading", Current: int64(i), Total: 9})
		}
		if len(s.lines) != 3 {
			t.Fatalf("at %d columns the screen has\n%s", cols, strings.Join(s.lines, "\n"))
		}
	}
}

// More parts than rows: those that say something are shown, and nothing is drawn twice.
func TestProgressInALowWindow(t *testing.T) {
	s, p := newScreen(6, 80)
	p.report(wire.Progress{Status: "begins"})
	for i := range 40 {
		for _, word := range []string{"Waiting", "Downloading"} {
			p.report(wire.Progress{ID: fmt.Sprintf("layer%d", i), Status: word})
		}
	}
	p.report(wire.Progress{ID: "layer3", Status: "Extracting"})
	if got := strings.Join(s.lines, "\n"); len(s.lines) > 7 || !strings.Contains(got, "layer3 ") || !strings.Contains(got, "layer39") {
		t.Errorf("the screen has\n%s", got)
	}
}

func TestProgressElsewhere(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b)
	for i := range 3 {
		p.report(wire.Progress{ID: "one", Status: "Downloading", Current: int64(i), Total: 3})
	}
	p.report(wire.Progress{ID: "one", Status: "done"})
	p.done()
	if b.String() != "one: Downloading\none: done\n" {
		t.Errorf("%q", b.String())
	}
}

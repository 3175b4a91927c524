package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// screen is a terminal that knows what progress sends it: lines, cursor up (CUU), erase to the end of the line (EL) and of the
// screen (ED).
type screen struct {
	lines []string
	row   int
}

var controls = regexp.MustCompile(`\x1b\[(\d*)([AKJ])|\n|[^\x1b\n]+`)

func (s *screen) Write(p []byte) (int, error) {
	for _, m := range controls.FindAllSubmatch(p, -1) {
		switch text := string(m[0]); {
		case text == "\n":
			s.row++
		case string(m[2]) == "A":
			n, err := strconv.Atoi(string(m[1]))
			if err != nil || n > s.row {
				return 0, fmt.Errorf("%q from line %d", text, s.row)
			}
			s.row -= n
		case string(m[2]) == "J":
			s.lines = s.lines[:min(s.row, len(s.lines))]
		case string(m[2]) == "K": // the line ends where it was just written
		default:
			for s.row >= len(s.lines) {
				s.lines = append(s.lines, "")
			}
			s.lines[s.row] = text
		}
	}
	return len(p), nil
}

func TestProgressOnATerminal(t *testing.T) {
	s := &screen{}
	p := newProgress(s)
	p.width, p.redraw = 70, 0
	for _, l := range []wire.Progress{
		{ID: "1", Status: "Pulling from library/x"},
		{ID: "aaa", Status: "Pulling fs layer"},
		{ID: "bbb", Status: "Waiting"},
		{ID: "aaa", Status: "Downloading", Current: 1_000_000, Total: 4_000_000},
		{ID: "bbb", Status: "Downloading", Current: 5},
	} {
		p.report(l)
	}
	want := []string{
		"1             Pulling from library/x",
		"aaa           Downloading   [=======                       ]  1MB of ",
		"bbb           Downloading   5B",
	}
	if diff := cmp.Diff(want, s.lines); diff != "" {
		t.Error(diff)
	}
	p.report(wire.Progress{ID: "aaa", Status: "Pull complete"})
	p.report(wire.Progress{Status: "Digest: sha256:d"}) // of no part: it stands above the parts
	p.report(wire.Progress{ID: "bbb", Status: "Pull complete"})
	p.done()
	want = []string{"Digest: sha256:d", "1             Pulling from library/x", "aaa           Pull complete", "bbb           Pull complete"}
	for i := range s.lines {
		s.lines[i] = strings.TrimRight(s.lines[i], " ")
	}
	if diff := cmp.Diff(want, s.lines); diff != "" {
		t.Error(diff)
	}
}

func TestProgressElsewhere(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	for _, l := range []wire.Progress{
		{ID: "aaa", Status: "Downloading", Current: 1, Total: 4},
		{ID: "aaa", Status: "Downloading", Current: 2, Total: 4},
		{ID: "aaa", Status: "Pull complete"},
		{Status: "Digest: sha256:d"},
	} {
		p.report(l)
	}
	p.done()
	if diff := cmp.Diff("aaa: Downloading\naaa: Pull complete\nDigest: sha256:d\n", out.String()); diff != "" {
		t.Error(diff)
	}
}

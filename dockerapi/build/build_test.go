package build

import (
	"bytes"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// A quiet build that fails tells the end of what it had to say, in whole lines.
func TestQuietBuildsKeepTheEnd(t *testing.T) {
	w := httptest.NewRecorder()
	s := &stream{w: w, quiet: true}
	n := 0
	for told := 0; told < 10*maxKept; n++ {
		line := fmt.Sprintf("{\"stream\":\"%d %s\"}\n", n, strings.Repeat("y", 1000))
		told += len(line)
		s.write([]byte(line))
		if s.kept.Cap() > 8*maxKept {
			t.Fatalf("%d bytes are kept", s.kept.Cap())
		}
	}
	if w.Body.Len() > 0 {
		t.Fatalf("it tells %q", w.Body)
	}
	if err := s.fail(errors.New("it failed")); err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(w.Body.Bytes()), []byte("\n"))
	last := lines[len(lines)-1]
	if !bytes.Contains(last, []byte("it failed")) || !bytes.HasPrefix(lines[len(lines)-2], fmt.Appendf(nil, "{\"stream\":\"%d ", n-1)) {
		t.Errorf("in the end it tells %q", last)
	}
	for _, line := range lines {
		if !bytes.HasPrefix(line, []byte("{")) {
			t.Errorf("half a line: %.20q", line)
		}
	}
	if size := w.Body.Len(); size < maxKept/2 || size > 3*maxKept {
		t.Errorf("%d bytes are told", size)
	}
}

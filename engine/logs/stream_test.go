package logs

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs/jsonfile"
)

// t0 is the time of line 0; line n is n seconds later.
var t0 = time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)

func second(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }

// record renders line n; even ones are stdout's.
func record(n int) string {
	stream := "stdout"
	if n%2 == 1 {
		stream = "stderr"
	}
	return fmt.Sprintf(`{"log":"%d\n","stream":"%s","time":"%s"}`+"\n", n, stream, second(n).Format(time.RFC3339Nano))
}

func records(from, to int) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		b.WriteString(record(n))
	}
	return b.String()
}

// logOf makes a log of 30 lines in three files, the oldest compressed.
func logOf(t *testing.T) engine.LogFile {
	t.Helper()
	spec := engine.LogFile{Driver: DriverJSON, Path: filepath.Join(t.TempDir(), "x-json.log"), MaxFiles: 3}
	writeZip(t, jsonfile.Rotated(spec.Path, 2)+jsonfile.Zipped, records(0, 10))
	writeFile(t, jsonfile.Rotated(spec.Path, 1), records(10, 20))
	writeFile(t, spec.Path, records(20, 30))
	return spec
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func writeZip(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	z.Extra = []byte(`{"lastTime":"` + second(9).Format(time.RFC3339Nano) + `"}`)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

// read returns the numbers of the lines that a query gives.
func read(t *testing.T, spec engine.LogFile, q engine.LogQuery) []int {
	t.Helper()
	s, err := Open(spec, q, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var got []int
	err = s.Read(t.Context(), func(r engine.LogRecord) error {
		got = append(got, number(t, r))
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func number(t *testing.T, r engine.LogRecord) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSuffix(string(r.Data), "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func span(from, to int) []int {
	var s []int
	for n := from; n < to; n++ {
		s = append(s, n)
	}
	return s
}

func TestQueries(t *testing.T) {
	spec := logOf(t)
	both := engine.LogQuery{Stdout: true, Stderr: true, Tail: -1}
	with := func(change func(*engine.LogQuery)) engine.LogQuery {
		q := both
		change(&q)
		return q
	}
	for name, tc := range map[string]struct {
		q    engine.LogQuery
		want []int
	}{
		"all":             {both, span(0, 30)},
		"tail in newest":  {with(func(q *engine.LogQuery) { q.Tail = 5 }), span(25, 30)},
		"tail one":        {with(func(q *engine.LogQuery) { q.Tail = 1 }), span(29, 30)},
		"tail exact file": {with(func(q *engine.LogQuery) { q.Tail = 10 }), span(20, 30)},
		"tail over files": {with(func(q *engine.LogQuery) { q.Tail = 15 }), span(15, 30)},
		"tail into zip":   {with(func(q *engine.LogQuery) { q.Tail = 23 }), span(7, 30)},
		"tail too many":   {with(func(q *engine.LogQuery) { q.Tail = 1000 }), span(0, 30)},
		"tail none":       {with(func(q *engine.LogQuery) { q.Tail = 0 }), nil},
		"since":           {with(func(q *engine.LogQuery) { q.Since = second(17) }), span(17, 30)},
		"since in zip":    {with(func(q *engine.LogQuery) { q.Since = second(4) }), span(4, 30)},
		"since between":   {with(func(q *engine.LogQuery) { q.Since = second(17).Add(1) }), span(18, 30)},
		"since after":     {with(func(q *engine.LogQuery) { q.Since = second(99) }), nil},
		"until":           {with(func(q *engine.LogQuery) { q.Until = second(12) }), span(0, 13)},
		"since and until": {with(func(q *engine.LogQuery) { q.Since, q.Until = second(8), second(12) }), span(8, 13)},
		"tail then since": {with(func(q *engine.LogQuery) { q.Tail, q.Since = 5, second(27) }), span(27, 30)},
		"stdout":          {engine.LogQuery{Stdout: true, Tail: 6}, []int{24, 26, 28}},
		"stderr":          {engine.LogQuery{Stderr: true, Tail: 6}, []int{25, 27, 29}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, read(t, spec, tc.q)); d != "" {
				t.Error(d)
			}
		})
	}
}

var everything = engine.LogQuery{Stdout: true, Stderr: true, Tail: -1}

func TestAbsentLogIsEmpty(t *testing.T) {
	spec := engine.LogFile{Driver: DriverJSON, Path: filepath.Join(t.TempDir(), "none"), MaxFiles: 1}
	if got := read(t, spec, everything); got != nil {
		t.Errorf("%v", got)
	}
	if got := read(t, spec, engine.LogQuery{Stdout: true, Tail: 5}); got != nil {
		t.Errorf("%v", got)
	}
}

func TestDriverNoneIsNotReadable(t *testing.T) {
	_, err := Open(engine.LogFile{Driver: DriverNone}, everything, nil)
	if !errors.Is(err, engine.NotImplemented) || !engine.HasReason(err, engine.ReasonLogUnreadable) {
		t.Error(err)
	}
}

// After power loss a file may end in half a record, hold zeros or be damaged in its middle.
func TestDamageCostsOnlyWhatIsDamaged(t *testing.T) {
	for name, text := range map[string]string{
		"cut off":           records(0, 3) + `{"log":"3\n","stream":"std`,
		"zeros at the end":  records(0, 3) + strings.Repeat("\x00", 5000),
		"zeros, then more":  record(0) + strings.Repeat("\x00", 5000) + record(1) + record(2),
		"half a line, more": record(0) + `{"log":"9` + "\n" + record(1) + record(2),
		"empty lines":       record(0) + "\n\n" + record(1) + record(2),
		"no last line feed": records(0, 2) + strings.TrimSuffix(record(2), "\n"),
		"an endless line":   record(0) + strings.Repeat("x", maxRecord+100_000) + "\n" + record(1) + record(2),
	} {
		t.Run(name, func(t *testing.T) {
			spec := engine.LogFile{Path: filepath.Join(t.TempDir(), "x-json.log"), MaxFiles: 1}
			writeFile(t, spec.Path, text)
			if d := cmp.Diff(span(0, 3), read(t, spec, everything)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDamagedCompressedFileEndsEarly(t *testing.T) {
	spec := logOf(t)
	name := jsonfile.Rotated(spec.Path, 2) + jsonfile.Zipped
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, name, string(b[:len(b)-12]))
	got := read(t, spec, everything)
	if len(got) < 20 || !cmp.Equal(got[len(got)-20:], span(10, 30)) {
		t.Errorf("%v", got)
	}
	writeFile(t, name, "no gzip")
	if d := cmp.Diff(span(10, 30), read(t, spec, everything)); d != "" {
		t.Error(d)
	}
}

func TestReadEndsWithItsContextAndItsCaller(t *testing.T) {
	spec := logOf(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	for _, grew := range []chan struct{}{nil, make(chan struct{})} {
		q := everything
		q.Follow = grew != nil
		s, err := Open(spec, q, grew)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Read(ctx, func(engine.LogRecord) error { return nil }, nil); !errors.Is(err, gone) {
			t.Errorf("context: %v", err)
		}
		s, err = Open(spec, q, grew)
		if err != nil {
			t.Fatal(err)
		}
		full := errors.New("full")
		if err := s.Read(t.Context(), func(engine.LogRecord) error { return full }, nil); !errors.Is(err, full) {
			t.Errorf("each: %v", err)
		}
	}
}

// A request holds its files: what is rotated away between Open and Read is read all the same.
func TestOpenHoldsTheFiles(t *testing.T) {
	spec := logOf(t)
	s, err := Open(spec, everything, nil)
	if err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(spec.Path + "*")
	for _, n := range names {
		if err := os.Remove(n); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	if err := s.Read(t.Context(), func(r engine.LogRecord) error { got = append(got, number(t, r)); return nil }, nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(span(0, 30), got); d != "" {
		t.Error(d)
	}
}

func TestCloseWithoutReadReleasesTheFiles(t *testing.T) {
	before := descriptors(t)
	for range 10 {
		for _, q := range []engine.LogQuery{everything, {Stdout: true, Tail: 3}, {Stdout: true, Tail: 0, Follow: true}} {
			s, err := Open(logOf(t), q, make(chan struct{}))
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			_ = read(t, logOf(t), q)
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip("no /dev/fd here")
	}
	return len(fds)
}

package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs/jsonfile"
)

// follower reads a log as it grows.
type follower struct {
	t     *testing.T
	grew  chan struct{}
	lines chan int
	idle  chan struct{} // receives when it is about to wait
	done  chan error
}

func follow(t *testing.T, spec engine.LogFile, q engine.LogQuery) *follower {
	t.Helper()
	f := &follower{t: t, grew: make(chan struct{}, 1), lines: make(chan int, 1000), idle: make(chan struct{}, 1000), done: make(chan error, 1)}
	q.Follow = true
	s, err := Open(spec, q, f.grew)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer s.Close()
		f.done <- s.Read(t.Context(), func(r engine.LogRecord) error {
			f.lines <- number(t, r)
			return nil
		}, func() error {
			f.idle <- struct{}{}
			return nil
		})
	}()
	return f
}

// take waits until the follower waits and returns what it read.
func (f *follower) take() []int {
	f.t.Helper()
	select {
	case <-f.idle:
	case <-time.After(10 * time.Second):
		f.t.Fatal("the follower does not come to rest")
	}
	return f.read()
}

func (f *follower) read() []int {
	var got []int
	for {
		select {
		case n := <-f.lines:
			got = append(got, n)
		default:
			return got
		}
	}
}

// end closes the log and returns the last lines.
func (f *follower) end() []int {
	f.t.Helper()
	close(f.grew)
	if err := <-f.done; err != nil {
		f.t.Error(err)
	}
	return f.read()
}

func add(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, what string, want, got []int) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: %s", what, d)
	}
}

func TestFollow(t *testing.T) {
	spec := logOf(t)
	f := follow(t, spec, engine.LogQuery{Stdout: true, Stderr: true, Tail: 2})
	expect(t, "what stood there", span(28, 30), f.take())
	add(t, spec.Path, records(30, 32)+record(32)[:20])
	f.grew <- struct{}{}
	expect(t, "whole lines", span(30, 32), f.take())
	add(t, spec.Path, record(32)[20:])
	f.grew <- struct{}{}
	expect(t, "the rest of a line", span(32, 33), f.take())
	f.grew <- struct{}{}
	expect(t, "nothing", nil, f.take())
	add(t, spec.Path, strings.TrimSuffix(record(33), "\n"))
	expect(t, "the end", span(33, 34), f.end())
}

func TestFollowFromTheEnd(t *testing.T) {
	spec := logOf(t)
	f := follow(t, spec, engine.LogQuery{Stdout: true, Stderr: true, Tail: 0})
	expect(t, "tail 0", nil, f.take())
	add(t, spec.Path, record(30))
	expect(t, "what came", span(30, 31), f.end())
}

func TestFollowALogThatIsNotThereYet(t *testing.T) {
	spec := engine.LogFile{Path: filepath.Join(t.TempDir(), "x-json.log"), MaxFiles: 2}
	f := follow(t, spec, everything)
	expect(t, "nothing", nil, f.take())
	add(t, spec.Path, records(0, 2))
	f.grew <- struct{}{}
	expect(t, "first lines", span(0, 2), f.take())
	expect(t, "end", nil, f.end())
}

func TestFollowUntil(t *testing.T) {
	spec := logOf(t)
	q := everything
	q.Until = second(25)
	f := follow(t, spec, q)
	if err := <-f.done; err != nil {
		t.Fatal(err)
	}
	expect(t, "until in the past", span(0, 26), f.read())

	q.Until = time.Now().Add(50 * time.Millisecond)
	q.Tail = 1
	f = follow(t, spec, q)
	expect(t, "before", span(29, 30), f.take())
	if err := <-f.done; err != nil {
		t.Fatal(err)
	}
}

// rotate moves the files of a log as the writer does.
func rotate(t *testing.T, spec engine.LogFile, zip bool) {
	t.Helper()
	for n := spec.MaxFiles - 1; n > 1; n-- {
		for _, suffix := range []string{"", jsonfile.Zipped} {
			_ = os.Remove(jsonfile.Rotated(spec.Path, n) + suffix)
			_ = os.Rename(jsonfile.Rotated(spec.Path, n-1)+suffix, jsonfile.Rotated(spec.Path, n)+suffix)
		}
	}
	first := jsonfile.Rotated(spec.Path, 1)
	if err := os.Rename(spec.Path, first); err != nil {
		t.Fatal(err)
	}
	if zip {
		b, err := os.ReadFile(first)
		if err != nil {
			t.Fatal(err)
		}
		writeZip(t, first+jsonfile.Zipped, string(b))
		if err := os.Remove(first); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFollowOverRotations(t *testing.T) {
	for _, zip := range []bool{false, true} {
		for rotations := 1; rotations <= 3; rotations++ {
			t.Run(fmt.Sprintf("%d at once, zip %v", rotations, zip), func(t *testing.T) {
				spec := engine.LogFile{Path: filepath.Join(t.TempDir(), "x-json.log"), MaxFiles: 5}
				writeFile(t, spec.Path, records(0, 3))
				f := follow(t, spec, everything)
				expect(t, "first", span(0, 3), f.take())
				next := 3
				for range rotations {
					add(t, spec.Path, records(next, next+2))
					rotate(t, spec, zip)
					next += 2
				}
				f.grew <- struct{}{} // the new file is not there yet
				expect(t, "rotated", span(3, next), f.take())
				add(t, spec.Path, records(next, next+2))
				f.grew <- struct{}{}
				expect(t, "the new file", span(next, next+2), f.take())
				rotate(t, spec, zip)
				add(t, spec.Path, records(next+2, next+3))
				expect(t, "the end", span(next+2, next+3), f.end())
			})
		}
	}
}

// The one file is removed and made anew; the follower holds the old one and reads its end first.
func TestFollowWithOneFile(t *testing.T) {
	spec := engine.LogFile{Path: filepath.Join(t.TempDir(), "x-json.log"), MaxFiles: 1}
	writeFile(t, spec.Path, records(0, 3))
	f := follow(t, spec, everything)
	expect(t, "first", span(0, 3), f.take())
	add(t, spec.Path, records(3, 5))
	if err := os.Remove(spec.Path); err != nil {
		t.Fatal(err)
	}
	writeFile(t, spec.Path, records(5, 6))
	expect(t, "both", span(3, 6), f.end())
}

// A file that is met in its place and again, moved on and compressed, must not be read twice; one that got the inode of
// another that is gone must be read.
func TestSameTellsFilesApart(t *testing.T) {
	dir := t.TempDir()
	spec := engine.LogFile{Path: filepath.Join(dir, "x"), MaxFiles: 4}
	writeFile(t, spec.Path, records(20, 30))
	writeFile(t, jsonfile.Rotated(spec.Path, 1), records(10, 20))
	writeZip(t, jsonfile.Rotated(spec.Path, 2)+jsonfile.Zipped, records(10, 20)) // as if number 1 had moved on just now
	writeZip(t, jsonfile.Rotated(spec.Path, 3)+jsonfile.Zipped, records(0, 10))
	expect(t, "all", span(0, 30), read(t, spec, everything))
}

// The real writer under load, rotating every few milliseconds, with followers and readers beside it.
func TestReadersBesideTheWriter(t *testing.T) {
	for _, zip := range []bool{false, true} {
		t.Run(fmt.Sprintf("zip %v", zip), func(t *testing.T) {
			spec := engine.LogFile{Driver: DriverJSON, Path: filepath.Join(t.TempDir(), "x-json.log"), MaxSize: 20_000, MaxFiles: 500, Compress: zip}
			w, err := jsonfile.Open(spec)
			if err != nil {
				t.Fatal(err)
			}
			const total = 30_000
			grew := make(chan struct{}, 1)
			var wg sync.WaitGroup
			q := everything
			q.Follow = true
			s, err := Open(spec, q, grew)
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				next := 0
				err := s.Read(t.Context(), func(r engine.LogRecord) error {
					if n := number(t, r); n != next {
						return fmt.Errorf("follower: line %d instead of %d", n, next)
					}
					next++
					return nil
				}, nil)
				if err != nil || next != total {
					t.Errorf("follower: %v, %d lines", err, next)
				}
			})
			stop := make(chan struct{})
			for range 2 {
				wg.Go(func() { readAgain(t, spec, stop) })
			}
			for n := 0; n < total; n += 10 {
				var b strings.Builder
				for i := range 10 {
					fmt.Fprintln(&b, n+i)
				}
				if err := w.Write(engine.SourceStdout, []byte(b.String())); err != nil {
					t.Fatal(err)
				}
				select {
				case grew <- struct{}{}:
				default:
				}
			}
			close(grew)
			close(stop)
			wg.Wait()
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			expect(t, "afterwards", span(0, total), read(t, spec, everything))
		})
	}
}

// readAgain reads the log from its start again and again; each time it must be without a gap.
func readAgain(t *testing.T, spec engine.LogFile, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		s, err := Open(spec, everything, nil)
		if err != nil {
			t.Error(err)
			return
		}
		next := 0
		err = s.Read(t.Context(), func(r engine.LogRecord) error {
			if n := number(t, r); n != next {
				return fmt.Errorf("line %d instead of %d", n, next)
			}
			next++
			return nil
		}, nil)
		s.Close()
		if err != nil {
			t.Error(err)
			return
		}
	}
}

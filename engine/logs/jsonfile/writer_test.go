package jsonfile

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

// clock is a clock that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

var start = time.Date(2026, 11, 23, 13, 10, 21, 879228895, time.UTC)

func newLog(t *testing.T, spec engine.LogFile) (*Writer, *clock) {
	t.Helper()
	if spec.Path == "" {
		spec.Path = filepath.Join(t.TempDir(), "x-json.log")
	}
	spec.MaxFiles = max(spec.MaxFiles, 1)
	c := &clock{start}
	w, err := open(spec, c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, c
}

func write(t *testing.T, w *Writer, src engine.Source, s string) {
	t.Helper()
	if err := w.Write(src, []byte(s)); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, w *Writer) string {
	t.Helper()
	b, err := os.ReadFile(w.spec.Path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRecordsAreWhatDockerdWrites(t *testing.T) {
	for name, tc := range map[string]struct {
		attrs map[string]string
		write func(*testing.T, *Writer)
		want  string
	}{
		"lines of both streams": {
			write: func(t *testing.T, w *Writer) {
				write(t, w, engine.SourceStdout, "one\ntwo\n")
				write(t, w, engine.SourceStderr, "three\n")
			},
			want: `{"log":"one\n","stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}
{"log":"two\n","stream":"stdout","time":"2026-11-23T13:10:21.879228896Z"}
{"log":"three\n","stream":"stderr","time":"2026-11-23T13:10:21.879228897Z"}
`,
		},
		"escapes": {
			write: func(t *testing.T, w *Writer) {
				write(t, w, engine.SourceStdout, "\"\\<b>&\t\r\x00\x1b[1m\x7f ä 😀 \u2028\u2029 \xff\xc3\n")
			},
			want: `{"log":"\"\\\u003cb\u003e\u0026\u0009\r\u0000\u001b[1m` + "\x7f" + ` ä 😀 \u2028\u2029 \ufffd\ufffd\n","stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}
`,
		},
		"attributes": {
			attrs: map[string]string{"b": "<2>", "a": "1"},
			write: func(t *testing.T, w *Writer) { write(t, w, engine.SourceStdout, "x\n") },
			want: `{"log":"x\n","stream":"stdout","attrs":{"a":"1","b":"\u003c2\u003e"},"time":"2026-11-23T13:10:21.879228895Z"}
`,
		},
		"a line in pieces, and the last without line feed": {
			write: func(t *testing.T, w *Writer) {
				write(t, w, engine.SourceStdout, "a")
				write(t, w, engine.SourceStderr, "E")
				write(t, w, engine.SourceStdout, "b\nrest")
				if err := w.Finish(); err != nil {
					t.Fatal(err)
				}
			},
			want: `{"log":"ab\n","stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}
{"log":"rest","stream":"stdout","time":"2026-11-23T13:10:21.879228896Z"}
{"log":"E","stream":"stderr","time":"2026-11-23T13:10:21.879228897Z"}
`,
		},
		"an empty line": {
			write: func(t *testing.T, w *Writer) { write(t, w, engine.SourceStdout, "\n") },
			want: `{"log":"\n","stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newLog(t, engine.LogFile{Attrs: tc.attrs})
			tc.write(t, w)
			if d := cmp.Diff(tc.want, content(t, w)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	w, c := newLog(t, engine.LogFile{})
	for _, at := range []time.Time{
		time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		time.Date(2026, 1, 2, 3, 4, 5, 120_000_000, time.UTC),
		time.Date(2026, 1, 2, 3, 4, 5, 119_999_999, time.UTC), // a clock that wavers
		time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC),           // a clock that was set back
	} {
		c.at = at
		write(t, w, engine.SourceStdout, "x\n")
	}
	var got []string
	for line := range strings.Lines(content(t, w)) {
		var v struct{ Time string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		got = append(got, v.Time)
	}
	want := []string{"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.12Z", "2026-01-02T03:04:05.120000001Z", "2026-01-02T02:04:05Z"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The lengths around 16 KiB at which dockerd's copier splits, written in pieces of several sizes.
func TestLongLinesAreSplitAsDockerdDoes(t *testing.T) {
	for _, piece := range []int{1 << 20, 5000, 1} {
		for _, n := range []int{maxLine - 1, maxLine, maxLine + 1, 2*maxLine - 1, 2 * maxLine, 2*maxLine + 7} {
			w, c := newLog(t, engine.LogFile{})
			line := strings.Repeat("x", n) + "\n"
			for p := []byte(line); len(p) > 0; c.at = c.at.Add(time.Millisecond) {
				k := min(piece, len(p))
				write(t, w, engine.SourceStdout, string(p[:k]))
				p = p[k:]
			}
			var lengths []int
			var times []time.Time
			all := ""
			for rec := range strings.Lines(content(t, w)) {
				var v struct {
					Log  string
					Time time.Time
				}
				if err := json.Unmarshal([]byte(rec), &v); err != nil {
					t.Fatal(err)
				}
				all += v.Log
				lengths = append(lengths, len(v.Log))
				times = append(times, v.Time)
			}
			var want []int
			left := n
			for ; left >= maxLine; left -= maxLine {
				want = append(want, maxLine)
			}
			want = append(want, left+1)
			if all != line || !cmp.Equal(lengths, want) {
				t.Fatalf("%d bytes in pieces of %d: records of %v, want %v", n, piece, lengths, want)
			}
			for _, at := range times {
				if !at.Equal(times[0]) {
					t.Errorf("parts have times %v", times)
				}
			}
		}
	}
}

func TestOpenClosesARecordThatWasCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x-json.log")
	if err := os.WriteFile(path, []byte("{\"log\":\"whole\\n\"}\n{\"log\":\"ha"), 0o640); err != nil {
		t.Fatal(err)
	}
	w, _ := newLog(t, engine.LogFile{Path: path})
	write(t, w, engine.SourceStdout, "next\n")
	lines := strings.Split(content(t, w), "\n")
	if len(lines) != 4 || lines[1] != `{"log":"ha` || !strings.HasPrefix(lines[2], `{"log":"next\n"`) {
		t.Errorf("%q", lines)
	}
}

func TestRotation(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compress %v", compress), func(t *testing.T) {
			w, _ := newLog(t, engine.LogFile{MaxSize: 1000, MaxFiles: 3, Compress: compress})
			for i := range 100 {
				write(t, w, engine.SourceStdout, fmt.Sprintf("line %d\n", i))
			}
			w.mu.Lock()
			w.waitZipped()
			w.mu.Unlock()
			suffix := ""
			if compress {
				suffix = Zipped
			}
			names, err := filepath.Glob(w.spec.Path + "*")
			if err != nil {
				t.Fatal(err)
			}
			want := []string{w.spec.Path, Rotated(w.spec.Path, 1) + suffix, Rotated(w.spec.Path, 2) + suffix}
			if d := cmp.Diff(want, names); d != "" {
				t.Fatal(d)
			}
			// dockerd rotates before the record that would follow when the bound is reached, not before it.
			for _, n := range names[1:] {
				b := unzip(t, n)
				last := b[bytes.LastIndexByte(b[:len(b)-1], '\n')+1:]
				if len(b) < 1000 || len(b)-len(last) >= 1000 {
					t.Errorf("%s has %d bytes", n, len(b))
				}
			}
		})
	}
}

func TestRotationOfOneFileStartsItAnew(t *testing.T) {
	w, _ := newLog(t, engine.LogFile{MaxSize: 500, MaxFiles: 1})
	for i := range 50 {
		write(t, w, engine.SourceStdout, fmt.Sprintf("line %d\n", i))
	}
	if n := len(content(t, w)); n > 600 {
		t.Errorf("%d bytes", n)
	}
	if !strings.Contains(content(t, w), "line 49") {
		t.Error("the last line is missing")
	}
	if names, _ := filepath.Glob(w.spec.Path + ".*"); len(names) != 0 {
		t.Errorf("%v", names)
	}
}

// A rotation happens within one Write, too: the bound holds whatever comes at once.
func TestRotationWithinOneWrite(t *testing.T) {
	w, _ := newLog(t, engine.LogFile{MaxSize: 10_000, MaxFiles: 100})
	write(t, w, engine.SourceStdout, strings.Repeat("a line\n", 5000))
	names, _ := filepath.Glob(w.spec.Path + "*")
	if len(names) < 30 {
		t.Errorf("%d files", len(names))
	}
	for _, n := range names {
		if st, _ := os.Stat(n); st.Size() > 10_100 {
			t.Errorf("%s has %d bytes", n, st.Size())
		}
	}
}

// Whatever a writer that was killed left behind, the next one finishes, and no line is lost.
func TestOpenMendsARotationThatWasCutOff(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, path string){
		"moved, no new file": func(t *testing.T, path string) {
			put(t, Rotated(path, 1), "a")
		},
		"half a compressed file": func(t *testing.T, path string) {
			put(t, path, "b")
			put(t, Rotated(path, 1), "a")
			if err := os.WriteFile(Rotated(path, 1)+aside, []byte("\x1f\x8b half"), 0o640); err != nil {
				t.Fatal(err)
			}
		},
		"compressed, original still there": func(t *testing.T, path string) {
			put(t, path, "b")
			put(t, Rotated(path, 1), "a")
			if err := compress(Rotated(path, 1)); err != nil {
				t.Fatal(err)
			}
			put(t, Rotated(path, 1), "a")
		},
		"a gap": func(t *testing.T, path string) {
			put(t, path, "b")
			put(t, Rotated(path, 2), "a")
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x-json.log")
			prepare(t, path)
			w, _ := newLog(t, engine.LogFile{Path: path, MaxSize: 200, MaxFiles: 4, Compress: true})
			write(t, w, engine.SourceStdout, "c\n")
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			names, _ := filepath.Glob(path + "*")
			found := ""
			for _, n := range names {
				if n != path && !strings.HasSuffix(n, Zipped) {
					t.Errorf("left: %s", n)
				}
				found += string(unzip(t, n))
			}
			if strings.Count(found, `"a\n"`) != 1 || strings.Count(found, `"c\n"`) != 1 {
				t.Errorf("%s", found)
			}
		})
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(`{"log":"`+text+`\n","stream":"stdout","time":"2026-11-23T13:10:21Z"}`+"\n"), 0o640); err != nil {
		t.Fatal(err)
	}
}

func unzip(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, Zipped) {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A full disk loses lines, never the form of the file, and writing goes on when there is room again.
func TestFullDiskLeavesWholeRecords(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	dir := smallDisk(t)
	w, _ := newLog(t, engine.LogFile{Path: filepath.Join(dir, "x-json.log")})
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 900<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	var failed error
	for i := 0; i < 10_000 && failed == nil; i++ {
		failed = w.Write(engine.SourceStdout, []byte(strings.Repeat("some text\n", 50)))
	}
	if failed == nil {
		t.Fatal("the disk did not fill")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	write(t, w, engine.SourceStdout, "after\n")
	text := content(t, w)
	for line := range strings.Lines(text) {
		if !json.Valid([]byte(line)) {
			t.Fatalf("damaged record %q", line)
		}
	}
	if !strings.Contains(text, `"after\n"`) {
		t.Error("the last line is missing")
	}
}

func TestWriteAfterCloseFails(t *testing.T) {
	w, _ := newLog(t, engine.LogFile{})
	write(t, w, engine.SourceStdout, "kept")
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(engine.SourceStdout, []byte("x\n")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
	if !strings.Contains(content(t, w), `"kept"`) {
		t.Error("the unfinished line is missing")
	}
}

func TestBothStreamsAtOnce(t *testing.T) {
	w, err := Open(engine.LogFile{Path: filepath.Join(t.TempDir(), "x-json.log"), MaxFiles: 3, MaxSize: 100_000, Compress: true})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, src := range []engine.Source{engine.SourceStdout, engine.SourceStderr} {
		wg.Go(func() {
			for range 500 {
				if err := w.Write(src, []byte("text\nmore ")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// encoding/json must understand every record and give back the text, invalid bytes replaced.
func FuzzEncode(f *testing.F) {
	f.Add([]byte("text\n"), int64(1))
	f.Add([]byte("\xff\u2028<&>\"\\\x00"), int64(1732367421879228895))
	f.Fuzz(func(t *testing.T, text []byte, nano int64) {
		nano &= 1<<62 - 1
		e := newEncoder(nil)
		b := e.appendRecord(nil, text, false, engine.SourceStderr, nano)
		var v struct {
			Log, Stream string
			Time        time.Time
		}
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if want := strings.ToValidUTF8(v.Log, "\ufffd"); v.Log != want || v.Stream != "stderr" || v.Time.UnixNano() != nano {
			t.Fatalf("%q", b)
		}
		want, err := json.Marshal(string(text))
		if err != nil {
			t.Fatal(err)
		}
		var norm string
		if err := json.Unmarshal(want, &norm); err != nil || norm != v.Log {
			t.Fatalf("%q instead of %q", v.Log, norm)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	w, err := Open(engine.LogFile{Path: filepath.Join(b.TempDir(), "x-json.log"), MaxFiles: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	const lines = 1000
	chunk := []byte(strings.Repeat("line 123456 of some text that is fifty bytes long\n", lines))
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(engine.SourceStdout, chunk); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/lines, "ns/line")
}

// smallDisk mounts a file system of one megabyte.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-f", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

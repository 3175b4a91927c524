package logs

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs/jsonfile"
)

// BenchmarkRead reads a log of a million lines, plain and compressed.
func BenchmarkRead(b *testing.B) {
	const total = 1_000_000
	for _, zip := range []bool{false, true} {
		b.Run(fmt.Sprintf("zip=%v", zip), func(b *testing.B) {
			spec := engine.LogFile{Path: filepath.Join(b.TempDir(), "x-json.log"), MaxFiles: 20, MaxSize: 20 << 20, Compress: zip}
			w, err := jsonfile.Open(spec)
			if err != nil {
				b.Fatal(err)
			}
			chunk := []byte(strings.Repeat("line 123456 of some text that is fifty bytes long\n", 1000))
			for range total / 1000 {
				if err := w.Write(engine.SourceStdout, chunk); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				s, err := Open(spec, everything, nil)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				if err := s.Read(b.Context(), func(engine.LogRecord) error { n++; return nil }, nil); err != nil || n != total {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkTail reads the last lines of a long log.
func BenchmarkTail(b *testing.B) {
	spec := engine.LogFile{Path: filepath.Join(b.TempDir(), "x-json.log"), MaxFiles: 1}
	w, err := jsonfile.Open(spec)
	if err != nil {
		b.Fatal(err)
	}
	chunk := []byte(strings.Repeat("line 123456 of some text that is fifty bytes long\n", 1000))
	for range 1000 {
		if err := w.Write(engine.SourceStdout, chunk); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	q := everything
	q.Tail = 100
	for b.Loop() {
		s, err := Open(spec, q, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Read(b.Context(), func(engine.LogRecord) error { return nil }, nil); err != nil {
			b.Fatal(err)
		}
	}
}

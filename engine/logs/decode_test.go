package logs

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func decodeCopy(line string) (engine.LogRecord, bool, error) {
	var d decoder
	var rec engine.LogRecord
	if d.short([]byte(line), &rec) {
		return rec, true, nil
	}
	err := d.long([]byte(line), &rec)
	return rec, false, err
}

func TestDecode(t *testing.T) {
	at := time.Date(2026, 11, 23, 13, 10, 21, 879228895, time.UTC)
	for name, tc := range map[string]struct {
		line  string
		want  engine.LogRecord
		short bool
		bad   bool
	}{
		"plain": {
			line:  `{"log":"hello\n","stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}`,
			want:  engine.LogRecord{Time: at, Source: 1, Data: []byte("hello\n")},
			short: true,
		},
		"without line feed": {
			line:  `{"log":"hello","stream":"stderr","time":"2026-11-23T13:10:21.879228895Z"}`,
			want:  engine.LogRecord{Time: at, Source: 2, Data: []byte("hello")},
			short: true,
		},
		"whole second": {
			line:  `{"log":"x\n","stream":"stdout","time":"2026-11-23T13:10:21Z"}`,
			want:  engine.LogRecord{Time: at.Truncate(time.Second), Source: 1, Data: []byte("x\n")},
			short: true,
		},
		"escapes": {
			line:  `{"log":"\"a\\\u003cb\u003e\t\r\u001b[0mä\u2028\n","stream":"stdout","time":"2026-11-23T13:10:21.5Z"}`,
			want:  engine.LogRecord{Time: at.Truncate(time.Second).Add(500 * time.Millisecond), Source: 1, Data: []byte("\"a\\<b>\t\r\x1b[0mä\u2028\n")},
			short: true,
		},
		"attributes": {
			line:  `{"log":"x\n","stream":"stdout","attrs":{"a":"b}\",","c":"d"},"time":"2026-11-23T13:10:21.879228895Z"}`,
			want:  engine.LogRecord{Time: at, Source: 1, Data: []byte("x\n"), Attrs: map[string]string{"a": `b}",`, "c": "d"}},
			short: true,
		},
		"other order and zone": {
			line: `{"time":"2026-11-23T15:10:21.879228895+02:00", "stream":"stdout", "log":"x\n"}`,
			want: engine.LogRecord{Time: at, Source: 1, Data: []byte("x\n")},
		},
		"surrogates": {
			line: `{"log":"\ud83d\ude00\n","stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}`,
			want: engine.LogRecord{Time: at, Source: 1, Data: []byte("😀\n")},
		},
		"empty": {
			line: `{"stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}`,
			want: engine.LogRecord{Time: at, Source: 1, Data: []byte{}},
		},
		"after power loss": {
			line: "\x00\x00\x00" + `{"log":"x\n","stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}`,
			want: engine.LogRecord{Time: at, Source: 1, Data: []byte("x\n")},
		},
		"cut off":      {line: `{"log":"x\n","stream":"std`, bad: true},
		"zeros":        {line: "\x00\x00\x00", bad: true},
		"no stream":    {line: `{"log":"x\n","time":"2026-11-23T13:10:21.879228895Z"}`, bad: true},
		"nothing":      {line: "", bad: true},
		"escape's end": {line: `{"log":"\u00","stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}`, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, short, err := decodeCopy(tc.line)
			if tc.bad {
				if err == nil {
					t.Fatalf("accepted as %+v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if short != tc.short {
				t.Errorf("short way taken: %v", short)
			}
			if !got.Time.Equal(tc.want.Time) {
				t.Errorf("time %v", got.Time)
			}
			got.Time = tc.want.Time
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDecodeRemembersNothingWrong(t *testing.T) {
	var d decoder
	for _, line := range []string{
		`{"log":"1\n","stream":"stdout","attrs":{"a":"b"},"time":"2026-11-23T13:10:21.1Z"}`,
		`{"log":"2\n","stream":"stdout","attrs":{"a":"bc"},"time":"2026-11-23T13:10:22.1Z"}`,
		`{"log":"3\n","stream":"stdout","time":"2026-11-23T13:10:21.1Z"}`,
		`{"log":"4\n","stream":"stdout","attrs":{"a":"b"},"time":"2026-11-23T13:10:21.1Z"}`,
	} {
		want, _, err := decodeCopy(line)
		if err != nil {
			t.Fatal(err)
		}
		var got engine.LogRecord
		if err := d.decode([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// Whatever the short way accepts, it must read as encoding/json does, if that accepts it at all.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"log":"hello\n","stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}`,
		`{"log":"\"a\\\u003cb\u003e\t","stream":"stderr","attrs":{"a":"b"},"time":"2026-11-23T13:10:21Z"}`,
		`{"log":"\ud83d\ude00","stream":"stdout","attrs":{},"time":"2026-11-23T13:10:21.5Z"}`,
		"\x00{}", `{"log":"`, `{"log":"\`, `{"log":"a","stream":"stdout","attrs":{"a":"b","time":"2026-11-23T13:10:21.5Z"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var d decoder
		var got engine.LogRecord
		if !d.short(bytes.Clone(line), &got) {
			_ = d.long(line, &got)
			return
		}
		var want engine.LogRecord
		if err := d.long(line, &want); err != nil {
			var syn *json.SyntaxError
			if bytes.ContainsFunc(line, func(r rune) bool { return r < 0x20 }) && asSyntax(err, &syn) {
				return // raw control characters: the short way lets them pass
			}
			t.Fatalf("%q: accepted as %+v, but %v", line, got, err)
		}
		if !got.Time.Equal(want.Time) || got.Source != want.Source || !bytes.Equal(got.Data, want.Data) {
			t.Fatalf("%q: %+v, want %+v", line, got, want)
		}
		if len(got.Attrs)+len(want.Attrs) > 0 && !cmp.Equal(got.Attrs, want.Attrs) {
			t.Fatalf("%q: attrs %v, want %v", line, got.Attrs, want.Attrs)
		}
	})
}

func asSyntax(err error, target **json.SyntaxError) bool {
	s, ok := err.(*json.SyntaxError)
	*target = s
	return ok
}

func BenchmarkDecode(b *testing.B) {
	line := []byte(`{"log":"line 123456 of some text that is fifty bytes long!\n","stream":"stdout","time":"2026-11-23T13:10:21.879228895Z"}`)
	buf := make([]byte, len(line))
	var d decoder
	var rec engine.LogRecord
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		copy(buf, line)
		if !d.short(buf, &rec) {
			b.Fatal("not the short way")
		}
	}
}

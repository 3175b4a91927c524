package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/xcengine/xc/engine"
)

// decoder turns lines of a log file into records. What our writer writes takes the short way; other JSON of the same
// meaning (dockerd's older files, edited ones) goes through encoding/json.
type decoder struct {
	attrsRaw []byte // of the last record; they hardly ever change within a log
	attrs    map[string]string
	prefix   [len("2006-01-02T15:04:05")]byte
	second   time.Time // what prefix means
}

var errNoRecord = errors.New("not a log record")

// decode fills rec from a line without its line feed. rec.Data lies within line, which is overwritten.
func (d *decoder) decode(line []byte, rec *engine.LogRecord) error {
	if d.short(line, rec) {
		return nil
	}
	return d.long(line, rec)
}

// long decodes any JSON object with the members log, stream, attrs and time. A disk that lost power may have left zeros
// before it.
func (d *decoder) long(line []byte, rec *engine.LogRecord) error {
	var v struct {
		Log    string            `json:"log"`
		Stream string            `json:"stream"`
		Time   time.Time         `json:"time"`
		Attrs  map[string]string `json:"attrs"`
	}
	if err := json.Unmarshal(bytes.TrimLeft(line, "\x00"), &v); err != nil {
		return err
	}
	switch v.Stream {
	case "stdout":
		rec.Source = engine.SourceStdout
	case "stderr":
		rec.Source = engine.SourceStderr
	default:
		return errNoRecord
	}
	rec.Time, rec.Attrs, rec.Data = v.Time, v.Attrs, []byte(v.Log)
	return nil
}

// short decodes exactly what jsonfile writes and reports whether the line was that. It changes nothing before it knows.
func (d *decoder) short(line []byte, rec *engine.LogRecord) bool {
	rest, ok := bytes.CutPrefix(line, []byte(`{"log":"`))
	if !ok {
		return false
	}
	end := stringEnd(rest)
	if end < 0 || !utf8.Valid(rest[:end]) {
		return false
	}
	text, rest := rest[:end], rest[end+1:]
	src := engine.SourceStdout
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"stream":"std`)); !ok || len(rest) < 4 {
		return false
	}
	switch string(rest[:4]) {
	case `out"`:
	case `err"`:
		src = engine.SourceStderr
	default:
		return false
	}
	attrs, rest, ok := d.readAttrs(rest[4:])
	if !ok {
		return false
	}
	rest, ok = bytes.CutPrefix(rest, []byte(`,"time":"`))
	if !ok || len(rest) < 2 || string(rest[len(rest)-2:]) != `"}` {
		return false
	}
	at, ok := d.readTime(rest[:len(rest)-2])
	if !ok {
		return false
	}
	data, ok := unescape(text)
	if !ok {
		return false
	}
	rec.Time, rec.Source, rec.Attrs, rec.Data = at, src, attrs, data
	return true
}

// stringEnd finds the quotation mark that ends a JSON string, -1 if there is none.
func stringEnd(s []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(s[from:], '"')
		if i < 0 {
			return -1
		}
		i += from
		slashes := 0
		for slashes < i && s[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
		from = i + 1
	}
}

// readAttrs reads the member attrs if it is there.
func (d *decoder) readAttrs(s []byte) (attrs map[string]string, rest []byte, ok bool) {
	body, ok := bytes.CutPrefix(s, []byte(`,"attrs":`))
	if !ok {
		return nil, s, true
	}
	if len(d.attrsRaw) > 0 && bytes.HasPrefix(body, d.attrsRaw) {
		return d.attrs, body[len(d.attrsRaw):], true
	}
	raw := objectOfStrings(body)
	if raw == nil {
		return nil, nil, false
	}
	var m map[string]string
	if json.Unmarshal(raw, &m) != nil {
		return nil, nil, false
	}
	d.attrsRaw, d.attrs = bytes.Clone(raw), m
	return m, body[len(raw):], true
}

// objectOfStrings returns the JSON object at the start of s if all that is in it are strings, as a prefix that another
// object cannot share.
func objectOfStrings(s []byte) []byte {
	if len(s) == 0 || s[0] != '{' {
		return nil
	}
	for i := 1; i < len(s); {
		switch s[i] {
		case '"':
			n := stringEnd(s[i+1:])
			if n < 0 {
				return nil
			}
			i += n + 2
		case ',', ':':
			i++
		case '}':
			return s[:i+1]
		default:
			return nil
		}
	}
	return nil
}

// readTime reads RFC3339Nano in UTC.
func (d *decoder) readTime(s []byte) (time.Time, bool) {
	const head = len("2006-01-02T15:04:05")
	if len(s) < head+1 || s[len(s)-1] != 'Z' {
		return time.Time{}, false
	}
	if string(s[:head]) != string(d.prefix[:]) {
		t, err := time.Parse("2006-01-02T15:04:05", string(s[:head]))
		if err != nil {
			return time.Time{}, false
		}
		copy(d.prefix[:], s)
		d.second = t
	}
	frac := s[head : len(s)-1]
	if len(frac) == 0 {
		return d.second, true
	}
	if frac[0] != '.' || len(frac) < 2 || len(frac) > 10 {
		return time.Time{}, false
	}
	var nano int64
	for i := 1; i < 10; i++ {
		nano *= 10
		if i < len(frac) {
			if frac[i] < '0' || frac[i] > '9' {
				return time.Time{}, false
			}
			nano += int64(frac[i] - '0')
		}
	}
	return d.second.Add(time.Duration(nano)), true
}

// unescape decodes the inside of a JSON string in place. It reports false, with s unchanged, for what jsonfile never writes.
func unescape(s []byte) ([]byte, bool) {
	first := bytes.IndexByte(s, '\\')
	if first < 0 {
		return s, true
	}
	if first == len(s)-2 && s[first+1] == 'n' {
		s[first] = '\n'
		return s[:first+1], true
	}
	if !escapesKnown(s[first:]) {
		return nil, false
	}
	w := first
	for i := first; i < len(s); {
		if s[i] != '\\' {
			s[w] = s[i]
			w++
			i++
			continue
		}
		switch c := s[i+1]; c {
		case 'n':
			s[w] = '\n'
		case 'r':
			s[w] = '\r'
		case 't':
			s[w] = '\t'
		case 'u':
			w += utf8.EncodeRune(s[w:], hexRune(s[i+2:i+6])) - 1
			i += 4
		default:
			s[w] = c
		}
		w++
		i += 2
	}
	return s[:w], true
}

// escapesKnown reports whether every escape in s is one that unescape knows. Surrogates are left to encoding/json.
func escapesKnown(s []byte) bool {
	for i := 0; i < len(s); {
		n := bytes.IndexByte(s[i:], '\\')
		if n < 0 {
			return true
		}
		i += n + 1
		if i >= len(s) {
			return false
		}
		switch s[i] {
		case 'n', 'r', 't', '"', '\\', '/':
			i++
		case 'u':
			if i+5 > len(s) {
				return false
			}
			r := hexRune(s[i+1 : i+5])
			if r < 0 || r >= 0xd800 && r < 0xe000 {
				return false
			}
			i += 5
		default:
			return false
		}
	}
	return true
}

// hexRune reads four hexadecimal digits, -1 if they are not.
func hexRune(s []byte) rune {
	var r rune
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return -1
		}
	}
	return r
}

package jsonfile

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/xcengine/xc/engine"
)

const hex = "0123456789abcdef"

// plain holds the bytes that stand for themselves in a JSON string as Go's encoding/json and dockerd write it.
var plain = func() (t [256]bool) {
	for b := 0x20; b < utf8.RuneSelf; b++ {
		t[b] = b != '"' && b != '\\' && b != '<' && b != '>' && b != '&'
	}
	return t
}()

// appendEscaped appends s as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendEscaped(dst, s []byte) []byte {
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if plain[b] {
			i++
			continue
		}
		if b < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendControl(dst, b)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[start:i]...), `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(append(dst, s[start:i]...), `\u202`...)
			dst = append(dst, hex[r&0xf])
			start = i + size
		}
		i += size
	}
	return append(dst, s[start:]...)
}

func appendControl(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&0xf])
}

// encoder turns output into records.
type encoder struct {
	attrs  []byte // `,"attrs":{…}` or nothing
	second int64  // of prefix
	prefix []byte // the time up to its seconds
}

func newEncoder(attrs map[string]string) encoder {
	return encoder{attrs: encodeAttrs(attrs), second: -1}
}

func encodeAttrs(attrs map[string]string) []byte {
	if len(attrs) == 0 {
		return nil
	}
	keys := make([]string, 0, len(attrs))
	for k := range attrs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b := []byte(`,"attrs":{`)
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendEscaped(append(b, '"'), []byte(k)), `":"`...)
		b = append(appendEscaped(b, []byte(attrs[k])), '"')
	}
	return append(b, '}')
}

// appendRecord appends one record. nano is Unix time in nanoseconds.
func (e *encoder) appendRecord(dst, text []byte, lineFeed bool, src engine.Source, nano int64) []byte {
	dst = append(dst, '{')
	if len(text) > 0 || lineFeed {
		dst = appendEscaped(append(dst, `"log":"`...), text)
		if lineFeed {
			dst = append(dst, `\n`...)
		}
		dst = append(dst, `",`...)
	}
	if src == engine.SourceStderr {
		dst = append(dst, `"stream":"stderr"`...)
	} else {
		dst = append(dst, `"stream":"stdout"`...)
	}
	dst = append(dst, e.attrs...)
	dst = append(dst, `,"time":"`...)
	return append(e.appendTime(dst, nano), "\"}\n"...)
}

// appendTime appends the time as RFC3339Nano in UTC does: without trailing zeros of the fraction.
func (e *encoder) appendTime(dst []byte, nano int64) []byte {
	sec, frac := nano/1e9, nano%1e9
	if sec != e.second {
		e.second = sec
		e.prefix = time.Unix(sec, 0).UTC().AppendFormat(e.prefix[:0], "2006-01-02T15:04:05")
	}
	dst = append(dst, e.prefix...)
	if frac != 0 {
		var digits [10]byte
		b := strconv.AppendInt(digits[:0], 1e9+frac, 10)
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
		b[0] = '.'
		dst = append(dst, b...)
	}
	return append(dst, 'Z')
}

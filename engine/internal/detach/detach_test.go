package detach

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestReader(t *testing.T) {
	for _, tc := range []struct {
		name, keys, in, out string
		detached            bool
	}{
		{"nothing", "", "plain", "plain", false},
		{"default", "", "ab\x10\x11cd", "ab", true},
		{"begun and not ended", "", "a\x10b\x10", "a\x10b\x10", false},
		{"begun twice", "", "\x10\x10\x11x", "\x10", true},
		{"one key", "ctrl-c", "ab\x03", "ab", true},
		{"letters", "a,b,c", "abxabc", "abx", true},
		{"brackets", "ctrl-[,ctrl-@", "x\x1b\x00", "x", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			keys, err := Parse(tc.keys)
			if err != nil {
				t.Fatal(err)
			}
			for _, src := range []io.Reader{bytes.NewBufferString(tc.in), iotest.OneByteReader(bytes.NewBufferString(tc.in))} {
				out, err := io.ReadAll(NewReader(src, keys))
				if got := errors.Is(err, ErrDetached); got != tc.detached || err != nil && !got {
					t.Errorf("detached %v (%v), want %v", got, err, tc.detached)
				}
				if string(out) != tc.out {
					t.Errorf("passed on %q, want %q", out, tc.out)
				}
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"ctrl-", "ctrl-1", "ctrl-A", "Ctrl-a", "alt-x", "a,,b", "ctrl-é"} {
		if keys, err := Parse(s); err == nil {
			t.Errorf("%q was taken for %v", s, keys)
		}
	}
}

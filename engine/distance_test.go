package engine_test

import (
	"testing"

	"github.com/xcengine/xc/engine"
)

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"abc", "abd", 1},
		{"abc", "abcd", 1},
		{"abcd", "acd", 1},
		{"xc.usdt", "xc.udst", 1},
		{"kitten", "sitting", 3},
		{"ab", "ba", 1},
	} {
		if got := engine.EditDistance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q is %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

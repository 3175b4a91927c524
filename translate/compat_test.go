package translate

import (
	"testing"

	"github.com/xcengine/xc/engine"
)

func TestParseVersion(t *testing.T) {
	for in, want := range map[string]Version{"": MaxVersion, "1.24": {1, 24}, "1.41": {1, 41}, "1.51": {1, 51}, "1.51.0": {1, 51}, "1.30.7": {1, 30}} {
		if got, err := ParseVersion(in); err != nil || got != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	const old = " is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
	for in, want := range map[string]string{
		"1.99":                 "client version 1.99 is too new. Maximum supported API version is 1.51",
		"1.51.1":               "client version 1.51.1 is too new. Maximum supported API version is 1.51",
		"2":                    "client version 2 is too new. Maximum supported API version is 1.51",
		"99999999999999999999": "client version 99999999999999999999 is too new. Maximum supported API version is 1.51",
		"1.23":                 "client version 1.23" + old, "1": "client version 1" + old, ".": "client version ." + old, "1..44": "client version 1..44" + old,
	} {
		if _, err := ParseVersion(in); err == nil || Message(err) != want || Kind(err) != engine.Invalid {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// TestRulesAreOrdered keeps the list readable: rules for all below a version stand from old to new.
func TestRulesAreOrdered(t *testing.T) {
	if n := len(createRules); n < 10 {
		t.Fatalf("%d rules", n)
	}
	for _, r := range createRules {
		if (r.below == Version{}) == (r.from == Version{}) {
			t.Errorf("a rule has one bound: %v %v", r.below, r.from)
		}
	}
}

func TestStreamType(t *testing.T) {
	const raw, mux = "application/vnd.docker.raw-stream", "application/vnd.docker.multiplexed-stream"
	for _, c := range []struct {
		v            Version
		tty, upgrade bool
		want         string
	}{{MaxVersion, false, true, mux}, {MaxVersion, true, true, raw}, {MaxVersion, false, false, raw}, {Version{1, 41}, false, true, raw}} {
		if got := StreamType(c.v, c.tty, c.upgrade); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

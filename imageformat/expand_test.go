package imageformat

import (
	"errors"
	"strings"
	"testing"
)

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func TestExpand(t *testing.T) {
	env := lookupIn(map[string]string{"A": "1", "B_2": "two", "E": ""})
	for in, want := range map[string]string{
		"": "", "plain": "plain", "$A": "1", "${A}": "1", "$A$B_2": "1two", "x${A}y": "x1y", "$A-b": "1-b",
		"${N:-d}": "d", "${N:=d}": "d", "${E:-d}": "d", "${E-d}": "", "${N-d}": "d", "${A:-d}": "1", "${N:-}": "",
		"${A:+set}": "set", "${E:+set}": "", "${E+set}": "set", "${N:+set}": "", "${A:?no}": "1",
		"${N:-$A}": "1", "${N:-${M:-$B_2}}": "two", `${N:-"q"}`: `"q"`, "${A:+$N}x": "ERR", "${A:-$N}": "1",
		"$$A": "$A", "$@": "$@", "$1": "$1", "$(x)": "$(x)", "end$": "end$", "a$$$A": "a$1", "}": "}", "a}b": "a}b",
		"$N": "ERR", "${N}": "ERR", "${N:?must be set}": "ERR", "${": "ERR", "${A": "ERR", "${A:": "ERR", "${A:-x": "ERR", "${1}": "ERR", "${A!}": "ERR",
	} {
		got, err := Expand(in, env)
		if want == "ERR" {
			if err == nil {
				t.Errorf("%q gave %q", in, got)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	var unset *UnsetError
	if _, err := Expand("${N:?say ${A}}", env); !errors.As(err, &unset) || unset.Name != "N" || err.Error() != "N: say 1" {
		t.Errorf("got %v", err)
	}
	if _, err := Expand("$N", env); !errors.As(err, &unset) || err.Error() != "variable N is not set" {
		t.Errorf("got %v", err)
	}
	if _, err := Expand(strings.Repeat("${N:-", 1000), env); err == nil {
		t.Error("nesting has no end")
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"${A:-$B}", "$$", "${A:+${B}}", "$(x)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = Expand(s, lookupIn(map[string]string{"A": "$A"}))
		if got, err := Expand(Literal(s), lookupIn(nil)); err != nil || got != s {
			t.Errorf("%q became %q, %v", s, got, err)
		}
	})
}

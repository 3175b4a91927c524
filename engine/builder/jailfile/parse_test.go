package jailfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDirectives(t *testing.T) {
	body, stripped := "echo a\nEOFX\n", "x\n"
	text := "# comment\n\n  FROM freebsd:14 as base\r\nRUN echo 'a b' \\\n  \"c\" d'e f'\nRUN sh <<EOF\necho a\nEOFX\nEOF\nRUN cat <<-E\n\tx\n\tE\n" +
		"WORKDIR[entry_point:foo] /x\nWORKDIR[entry_point:bar ] /y\nNOINIT\nCMD # not a comment\n"
	got, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []Directive{
		{Name: "FROM", Args: []string{"freebsd:14", "as", "base"}, Raw: "freebsd:14 as base", Text: "FROM freebsd:14 as base", Line: 3},
		{Name: "RUN", Args: []string{"echo", "a b", "c", "d'e f'"}, Raw: `echo 'a b'   "c" d'e f'`, Text: `RUN echo 'a b'   "c" d'e f'`, Line: 4},
		{Name: "RUN", Args: []string{"sh"}, Raw: "sh", Heredoc: &body, Text: "RUN sh <<EOF", Line: 6},
		{Name: "RUN", Args: []string{"cat"}, Raw: "cat", Heredoc: &stripped, Text: "RUN cat <<-E", Line: 10},
		{Name: "WORKDIR", Options: map[string]string{"entry_point": "foo"}, Args: []string{"/x"}, Raw: "/x", Text: "WORKDIR[entry_point:foo] /x", Line: 13},
		{Name: "WORKDIR", Options: map[string]string{"entry_point": "bar"}, Args: []string{"/y"}, Raw: "/y", Text: "WORKDIR[entry_point:bar ] /y", Line: 14},
		{Name: "NOINIT", Text: "NOINIT", Line: 15},
		{Name: "CMD", Args: []string{"#", "not", "a", "comment"}, Raw: "# not a comment", Text: "CMD # not a comment", Line: 16},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsTellThePlace(t *testing.T) {
	for text, want := range map[string]string{
		"FROM a\n  ENV A=1":       "jailfile parse error on line 2, column 3: unknown directive: ENV",
		"run x":                   "jailfile parse error on line 1, column 1: unknown directive: run",
		"RUN it's":                "jailfile parse error on line 1, column 5: a quotation that begins with ' is not closed",
		"RUN sh <<EOF\nx\nEOFX":   "jailfile parse error on line 1, column 1: unterminated heredoc: no line is EOF",
		"CMD[entry_point:x a":     "jailfile parse error on line 1, column 4: the bracket of CMD is not closed",
		"CMD[entry_point:x]a":     "jailfile parse error on line 1, column 19: a blank must follow CMD",
		"ALLOW raw_sockets\nFOO[": "jailfile parse error on line 2, column 1: unknown directive: FOO[",
	} {
		_, err := Parse(strings.NewReader(text))
		var at *Error
		if !errors.As(err, &at) || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("FROM a\nRUN x <<EOF\ny\nEOF\nCMD[entry_point:a] \"b c\" d\\\n e")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, d := range all {
			if d.Name == "" || d.Line < 1 {
				t.Errorf("%+v", d)
			}
		}
	})
}

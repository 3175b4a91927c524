package dockerfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

func TestStagesAndArguments(t *testing.T) {
	f, err := Parse(strings.NewReader("# escape=`\nARG V=1\nFROM a:$V AS One\nRUN x `\n  y\nFROM --platform=$P one\nCOPY --parents --from=one a/./b c/\nCOPY --parents=false d e\n"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Escape != '`' || len(f.Args) != 1 || len(f.Stages) != 2 {
		t.Fatalf("%+v", f)
	}
	one, two := f.Stages[0], f.Stages[1]
	if one.Name != "one" || one.Base != "a:$V" || one.Line != 3 || one.Text != "FROM a:$V AS One" || one.Commands[0].Line != 4 {
		t.Errorf("first stage %+v", one)
	}
	if two.Platform != "$P" || !two.Commands[0].Parents || two.Commands[1].Parents {
		t.Errorf("second stage %+v", two)
	}
	if c := two.Commands[0].Command.(*instructions.CopyCommand); c.From != "one" || c.SourcePaths[0] != "a/./b" {
		t.Errorf("COPY %+v", c)
	}
	if f.Find("ONE", 2) != 0 || f.Find("one", 0) != -1 || f.Find("two", 2) != -1 {
		t.Error("stages are not found by name")
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"FROM a\n\nFOO b":                "dockerfile parse error on line 3: unknown instruction: FOO (did you mean FROM?)",
		"FROM a\nCOPY x":                 "dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined",
		"FROM a\nCOPY --parents=o a b":   "dockerfile parse error on line 2: expecting boolean value for flag parents, not: o",
		"FROM a\nLABEL x":                "dockerfile parse error on line 2: LABEL must have two arguments",
		"RUN a":                          "no build stage in current context",
		"# only a comment":               "file with no instructions",
		"FROM a\nRUN <<EOF\nunending":    "dockerfile parse error on line 2: unterminated heredoc",
		"# escape=`\n# escape=`\nFROM a": "only one escape parser directive can be used",
		"# escape=x\nFROM a":             "invalid escape token 'x' does not match ` or \\",
		"FROM a\nONBUILD FROM b":         "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger",
		"FROM a\nHEALTHCHECK NONE x":     "dockerfile parse error on line 2: HEALTHCHECK NONE takes no arguments",
		"FROM a\nENTRYPOINT [\"a\", 1]x": "",
	} {
		_, err := Parse(strings.NewReader(text))
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || err.Error() != want):
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := Parse(strings.NewReader("")); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
	for text, want := range map[string]bool{"": true, "FROM a\nRUN <<EOF": true, "FROM a\nENV A": true, "FROM a\nFOO b": false, "RUN a": false} {
		if _, err := Parse(strings.NewReader(text)); errors.Is(err, ErrSyntax) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTriggers(t *testing.T) {
	c, err := Trigger("COPY --parents a b")
	if err != nil || !c.Parents {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, bad := range []string{"FOO x", "", "RUN a\nRUN b", "FROM b"} {
		if c, err := Trigger(bad); err == nil {
			t.Errorf("%q became %+v", bad, c)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("FROM a\nRUN <<EOF\nx\nEOF\nCOPY --parents --from=0 a b\n")
	f.Add("# escape=`\nFROM scratch\nADD [\"a\", \"b\"]\nONBUILD RUN x")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, s := range file.Stages {
			if s.Line < 1 {
				t.Errorf("a stage on line %d", s.Line)
			}
			for _, c := range s.Commands {
				if c.Command == nil || c.Line < s.Line {
					t.Errorf("%+v in a stage of line %d", c, s.Line)
				}
			}
		}
	})
}

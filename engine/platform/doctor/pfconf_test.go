package doctor

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the goldens")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestPFAmended(t *testing.T) {
	files, err := filepath.Glob("testdata/pf/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			amended, missing := amendPF(string(text))
			golden(t, strings.TrimSuffix(file, ".conf")+".diff", unified("a", "b", string(text), amended))
			if (amended == string(text)) != (len(missing) == 0) {
				t.Errorf("missing %v, and changed: %v", missing, amended != string(text))
			}
			if again, missing := amendPF(amended); again != amended || len(missing) > 0 {
				t.Errorf("a second time it lacks %v", missing)
			}
		})
	}
}

func TestPFOrder(t *testing.T) {
	for text, ordered := range map[string]bool{
		"pass all\nnat-anchor xc-nat\nrdr-anchor xc-rdr\n":                                  false,
		"set require-order no\npass all\nnat-anchor xc-nat\nrdr-anchor xc-rdr\nanchor xc\n": true,
		"nat-anchor xc-nat\nrdr-anchor xc-rdr\npass all\nanchor \"xc/*\"\n":                 true,
		"nat-anchor xc-nat\nrdr-anchor xc-rdr\npass all\n":                                  false,
		"nat-anchor \"xc-nat\" on em0\nrdr-anchor \"xc-rdr\" # both\nanchor xc in on em0\n": true,
		"nat-anchor xc-nat2\nrdr-anchor xc-rdr\n":                                           false,
		"# nat-anchor xc-nat\nrdr-anchor xc-rdr\n":                                          false,
	} {
		if _, missing := amendPF(text); (len(missing) == 0) != ordered {
			t.Errorf("%q lacks %q", text, missing)
		}
	}
}

func TestPFBlocks(t *testing.T) {
	for _, tc := range []struct {
		text             string
		filters, unknown bool
	}{
		{"", false, false},
		{"pass all\n", false, false},
		{"nat-anchor xc-nat\nrdr-anchor xc-rdr\nanchor \"xc\"\n", false, false},
		{"anchor \"own\"\n", true, false},
		{"block all\n", true, true},
		{"block return in log all\npass out all keep state\n", true, true},
		{"block drop\npass quick on xc\n", true, false},
		{"block all\nset skip on { lo xc }\n", true, false},
		{"block all\npass\n", true, false},
		{"block in proto tcp to port 25\n", true, false},
		{"nat on em0 from 10/8 -> (em0)\n", false, false},
	} {
		if got := pfFilters(tc.text); got != tc.filters {
			t.Errorf("%q blocks: %v", tc.text, got)
		}
		if got := pfBlocksAll(tc.text); got != tc.unknown {
			t.Errorf("%q blocks what it does not know: %v", tc.text, got)
		}
	}
}

func FuzzPFAmended(f *testing.F) {
	f.Add("block all\n")
	f.Add("a { b\n\\\n rdr-anchor xc-rdr }\npass\nrdr-anchor xc-rdr \\\n")
	f.Add("\"#\nnat x \\")
	f.Fuzz(func(t *testing.T, text string) {
		amended, missing := amendPF(text)
		if again, _ := amendPF(amended); again != amended && !strings.ContainsAny(text, "{}\\") {
			t.Fatalf("%q gives %q, that %q", text, amended, again)
		}
		// No line is lost but one that was misplaced.
		for _, l := range lines(text) {
			if strings.Contains(l, "xc-") || strings.TrimSpace(l) == "" {
				continue
			}
			if !strings.Contains(amended, strings.TrimSuffix(l, "\n")) && !strings.ContainsAny(text, "{}\\") {
				t.Fatalf("%q is lost of %q: %q", l, text, amended)
			}
		}
		if len(missing) == 0 && amended != text {
			t.Fatalf("%q was changed for nothing", text)
		}
	})
}

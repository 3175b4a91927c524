package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every row of the checklist names a test that is there, or says why there is none.
func TestChecklistNamesTests(t *testing.T) {
	raw, err := os.ReadFile("../../docs/checklist.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, without := 0, 0
	for line := range strings.SplitSeq(string(raw), "\n") {
		if !regexp.MustCompile(`^\| [A-Z]+-[0-9]+ \|`).MatchString(line) {
			continue
		}
		rows++
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
		if len(cells) != 7 {
			t.Errorf("a row has %d cells: %s", len(cells)-2, line)
			continue
		}
		place := strings.TrimSpace(cells[5])
		if place == "none yet" {
			without++
			continue
		}
		if why, none := strings.CutPrefix(place, "none: "); none && why != "" {
			continue
		}
		dir, name, ok := strings.Cut(place, " ")
		if !ok || !hasTest(t, filepath.Join("..", "..", dir), name) {
			t.Errorf("%s: there is no test %s", strings.TrimSpace(cells[1]), place)
		}
	}
	if rows < 140 {
		t.Errorf("%d rows are left", rows)
	}
	t.Logf("%d rows, %d without a test", rows, without)
}

// hasTest reports whether a directory's test files have a function.
func hasTest(t *testing.T, dir, name string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "func "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}

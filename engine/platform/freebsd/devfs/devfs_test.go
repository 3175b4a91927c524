package devfs

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine/internal/runner"
)

// kernel keeps rulesets as devfs(8) does.
type kernel struct {
	sets map[int][]string
	fail string
	ran  int
}

func (k *kernel) Run(_ context.Context, c runner.Cmd) (runner.Result, error) {
	args := c.Argv[1:]
	k.ran++
	id, err := strconv.Atoi(args[2])
	if err != nil {
		return runner.Result{}, err
	}
	rule := strings.Join(args[3:], " ")
	switch {
	case rule == "delset":
		delete(k.sets, id)
	case k.fail != "" && strings.Contains(rule, k.fail):
		return runner.Result{}, &runner.Error{Argv: c.Argv, Code: 1, Stderr: "refused"}
	default:
		k.sets[id] = append(k.sets[id], rule)
	}
	return runner.Result{}, nil
}

func (k *kernel) list() ([]int, error) { return slices.Sorted(maps.Keys(k.sets)), nil }

func TestRulesetsAreSharedAndKept(t *testing.T) {
	k := &kernel{sets: map[int][]string{1: nil, 2: nil, 3: nil, 4: nil, 1000: {"somebody's"}}}
	s := &Store{Path: filepath.Join(t.TempDir(), "rulesets"), First: 1000, Run: k, Sets: k.list}
	get := func(s *Store, rules []Rule) int {
		t.Helper()
		id, err := s.Ruleset(t.Context(), rules)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	base := get(s, Base())
	if base != 1001 {
		t.Errorf("the first free number is %d, want 1001", base)
	}
	want := []string{"add include 1", "add include 2", "add include 3", "add path fd unhide", "add path fd/* unhide", "add path shm unhide mode 1777"}
	if diff := cmp.Diff(want, k.sets[base]); diff != "" {
		t.Error(diff)
	}
	other := get(s, append(Base(), Rule{Path: "bpf*", Mode: 0o660, Group: "wheel"}))
	if other != 1002 {
		t.Errorf("another content is %d", other)
	}
	ran := k.ran
	again := &Store{Path: s.Path, First: 1000, Run: k, Sets: k.list}
	if id := get(again, Base()); id != base || k.ran != ran {
		t.Errorf("after a restart: %d, %d commands", id, k.ran-ran)
	}
	k.sets = map[int][]string{} // the host was booted
	if id := get(again, Base()); id != base || len(k.sets[base]) != len(want) {
		t.Errorf("after a boot: %d with %v", id, k.sets[base])
	}
	if id := get(&Store{Force: 7, Run: k, Sets: k.list}, Base()); id != 7 {
		t.Errorf("forced: %d", id)
	}
}

func TestAHalfMadeRulesetIsTakenBack(t *testing.T) {
	k := &kernel{sets: map[int][]string{}, fail: "bpf"}
	s := &Store{Path: filepath.Join(t.TempDir(), "rulesets"), First: 10, Run: k, Sets: k.list}
	if _, err := s.Ruleset(t.Context(), append(Base(), Rule{Path: "bpf"})); err == nil {
		t.Error("no error")
	}
	if len(k.sets) != 0 {
		t.Errorf("left: %v", k.sets)
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]Rule{
		"bpf*":                                 {Path: "bpf*"},
		"path dtrace/helper unhide mode 0666":  {Path: "dtrace/helper", Mode: 0o666},
		"add path pf hide":                     {Path: "pf", Hide: true},
		"include 4":                            {Include: 4},
		"path tap0 mode 660 user 5 group net.": {Path: "tap0", Mode: 0o660, User: "5", Group: "net."},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "path", "/dev/null x", "../kmem", "a/../b", "bpf mode", "bpf mode 9", "bpf mode 77777", "include x", "include 0", "bpf colour red",
		"a;b", "bpf group $(x)", "path x user -r",
	} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q was taken for %+v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("path dtrace/helper unhide mode 0666 group wheel")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(strings.Join(r.args(), " "))
		if err != nil || again != r && !r.Hide {
			t.Errorf("%q gives %+v, and its rendering %v gives %+v, %v", text, r, r.args(), again, err)
		}
		if slices.ContainsFunc(r.args(), func(a string) bool { return strings.ContainsAny(a, " \n;") }) {
			t.Errorf("%q gives the arguments %q", text, r.args())
		}
	})
}

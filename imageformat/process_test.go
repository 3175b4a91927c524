package imageformat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func text(s string) *string { return &s }

func TestEnvironmentOfAnEntryPoint(t *testing.T) {
	base := map[string]EnvSpec{"BASE": {DefaultValue: text("b")}, "PATH": {DefaultValue: text("/bin")}, "NEEDED": {Required: true}}
	for name, c := range map[string]struct {
		environ map[string]string
		clear   bool
		want    []string
	}{
		"nothing":                      {nil, false, []string{"BASE=b", "PATH=/bin"}},
		"in any order":                 {map[string]string{"A": "$B/a", "B": "$C/b", "C": "$BASE"}, false, []string{"A=b/b/a", "B=b/b", "BASE=b", "C=b", "PATH=/bin"}},
		"a later one beats a default":  {map[string]string{"A": "${B:-no}", "B": "v"}, true, []string{"A=v", "B=v"}},
		"a later one that is empty":    {map[string]string{"A": "${B:-yes}", "B": ""}, true, []string{"A=yes", "B="}},
		"itself is what it replaces":   {map[string]string{"PATH": "/opt:$PATH"}, false, []string{"BASE=b", "PATH=/opt:/bin"}},
		"cleared but known":            {map[string]string{"A": "$BASE"}, true, []string{"A=b"}},
		"not set":                      {map[string]string{"A": "$NEEDED", "B": "${A:-none}"}, true, []string{"B=none"}},
		"a circle":                     {map[string]string{"A": "$B", "B": "$A", "C": "c"}, true, []string{"C=c"}},
		"a circle with defaults":       {map[string]string{"A": "${B:-1}", "B": "${A:-2}"}, true, nil},
		"what stands on a circle":      {map[string]string{"A": "$B", "B": "$A", "C": "${A:-3}"}, true, nil},
		"an alternative not taken":     {map[string]string{"A": "${BASE:-$B}", "B": "$A"}, true, []string{"A=b", "B=b"}},
		"what a program would not see": {map[string]string{"A": "${:}"}, true, nil},
	} {
		j := JailConfig{Envs: base, EntryPoints: map[string]Exec{"main": {Exec: "x", Environ: c.environ, ClearEnv: c.clear}}}
		if diff := cmp.Diff(c.want, j.RunConfig().Env); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// An image's config is some kilobytes; what its strings become must not be the memory of the machine.
func TestBombsInAnExtension(t *testing.T) {
	doubling := map[string]string{"V0": strings.Repeat("x", 100)}
	for n := 1; n < 60; n++ {
		doubling[fmt.Sprintf("V%d", n)] = fmt.Sprintf("$V%d$V%d", n-1, n-1)
	}
	many := Exec{Exec: "x", Environ: map[string]string{"V": strings.Repeat("x", MaxExpanded)}}
	for range 10_000 {
		many.Args = append(many.Args, "$V")
	}
	chain := map[string]string{}
	for n := range 20_000 {
		chain[fmt.Sprintf("V%d", n)] = fmt.Sprintf("$V%d", n+1)
	}
	nested := map[string]string{}
	for n := range 200 {
		nested[fmt.Sprintf("V%d", n)] = strings.Repeat(fmt.Sprintf("$V%d", n+1), 200)
	}
	for name, e := range map[string]Exec{
		"doubling": {Exec: "x", Environ: doubling}, "many words": many, "a long chain": {Exec: "x", Environ: chain}, "nested": {Exec: "x", Environ: nested},
	} {
		r := JailConfig{EntryPoints: map[string]Exec{"main": e}}.RunConfig()
		size := 0
		for _, list := range [][]string{r.Env, r.Entrypoint} {
			for _, s := range list {
				size += len(s)
			}
		}
		if size > 2*maxProcess {
			t.Errorf("%s: %d bytes", name, size)
		}
	}
	ports := map[string]string{"5-9": "", "7-12/tcp": "", "8": "", "80/icmp": "", "9-5": "", "0-4": "", "70000": "", "7/udp": "", "12-13": ""}
	want := []string{"10/tcp", "11/tcp", "12/tcp", "13/tcp", "5/tcp", "6/tcp", "7/tcp", "7/udp", "8/tcp", "9/tcp"}
	if diff := cmp.Diff(want, JailConfig{Ports: ports}.RunConfig().ExposedPorts); diff != "" {
		t.Error(diff)
	}
	for n := range 100_000 {
		ports[fmt.Sprintf("%d-65535/p%d", n%60000+1, n)] = ""
		ports[fmt.Sprintf("%d-65535", n%60000+1)] = ""
	}
	if got := (JailConfig{Ports: ports}).RunConfig().ExposedPorts; len(got) != 65536 {
		t.Errorf("%d ports", len(got))
	}
}

// FuzzJailConfig reads an extension alone, writes it and reads it again, and says it in Docker's words, which are bounded.
func FuzzJailConfig(f *testing.F) {
	var whole struct {
		Config struct {
			XC json.RawMessage `json:"xc_extension"`
		}
	}
	if err := json.Unmarshal(golden(f, "xc.json"), &whole); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(whole.Config.XC))
	f.Add([]byte(`{"entry_points":{"main":{"exec":"x","environ":{"A":"${B:-$A}","B":"$A$A"}}},"ports":{"1-9/udp":""}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var j, again JailConfig
		if json.Unmarshal(raw, &j) != nil {
			return
		}
		out, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, out)
		}
		if twice, err := json.Marshal(again); err != nil || string(twice) != string(out) {
			t.Errorf("written twice: %v\n%s\n%s", err, out, twice)
		}
		size := 0
		r := j.RunConfig()
		for _, s := range slices.Concat(r.Env, r.Entrypoint, r.Cmd) {
			size += len(s)
		}
		if size > 2*maxProcess+len(raw) {
			t.Errorf("%d bytes became %d", len(raw), size)
		}
	})
}

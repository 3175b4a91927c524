package hostfile_test

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine/platform/hostfile"
)

// TestInert compares with what mount(8) says of every file system here.
func TestInert(t *testing.T) {
	out, err := exec.Command("mount").Output()
	if err != nil {
		t.Skip(err)
	}
	want := map[string]bool{} // what is mounted later covers what was there
	for _, m := range regexp.MustCompile(`(?m) on (/\S*) .*\((.*)\)$`).FindAllStringSubmatch(string(out), -1) {
		options := strings.Split(strings.ReplaceAll(m[2], " ", ""), ",")
		has := func(option string) bool { return strings.Contains(","+strings.Join(options, ",")+",", ","+option+",") }
		want[m[1]] = has("nosuid") && (has("nodev") || runtime.GOOS == "freebsd")
	}
	if len(want) == 0 {
		t.Fatalf("no mounts in %s", out)
	}
	for path, inert := range want {
		f, err := os.Open(path)
		if err != nil {
			continue // not for this user
		}
		defer f.Close()
		if got, err := hostfile.Inert(f); err != nil || got != inert {
			t.Errorf("%s: %v, %v; want %v", path, got, err, inert)
		}
	}
}

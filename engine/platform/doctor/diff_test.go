package doctor

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnified(t *testing.T) {
	for _, tc := range []struct{ old, new, want string }{
		{"a\n", "a\n", ""},
		{"", "a\n", "--- x\n+++ y\n@@ -0,0 +1 @@\n+a\n"},
		{"a\n", "", "--- x\n+++ y\n@@ -1 +0,0 @@\n-a\n"},
		{"a", "a\nb\n", "--- x\n+++ y\n@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nX\n5\n6\n7\n8\n", "--- x\n+++ y\n@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+X\n 5\n 6\n 7\n"},
	} {
		if diff := cmp.Diff(tc.want, unified("x", "y", tc.old, tc.new)); diff != "" {
			t.Errorf("%q to %q (-want +got):\n%s", tc.old, tc.new, diff)
		}
	}
}

// What is shown is what patch(1) makes of it.
func TestPatchAgrees(t *testing.T) {
	patch, err := exec.LookPath("patch")
	if err != nil {
		t.Skip("no patch(1) here")
	}
	r := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string {
		var b strings.Builder
		for range n {
			fmt.Fprintf(&b, "%d\n", r.IntN(6))
		}
		return b.String()
	}
	for range 10 {
		old, new := text(1+r.IntN(30)), text(1+r.IntN(30))
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte(old), 0o644); err != nil {
			t.Fatal(err)
		}
		d := unified(file, file, old, new)
		if d == "" {
			continue
		}
		cmd := exec.Command(patch, "-s", file)
		cmd.Stdin = strings.NewReader(d)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%s", err, out, d)
		}
		got, err := os.ReadFile(file)
		if err != nil || string(got) != new {
			t.Fatalf("patch makes %q of %q, wanted %q (%v)\n%s", got, old, new, err, d)
		}
	}
}

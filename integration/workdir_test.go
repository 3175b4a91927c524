package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A working directory that the image does not have is made with the container, root's and for all to read, as dockerd 28.5.2 does.
func TestWorkDirIsMadeAtCreate(t *testing.T) {
	e := start(t)
	e.must("create", "--name", "box", "-u", "5:6", "-w", "/made/./deep/dir", "testbox", "ls", "-ld", "/made", "/made/deep/dir")
	for _, want := range []string{"A /made", "A /made/deep", "A /made/deep/dir"} {
		if got := e.must("diff", "box"); !strings.Contains("\n"+got+"\n", "\n"+want+"\n") {
			t.Errorf("%s is not in %q", want, got)
		}
	}
	from := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(from, []byte("f"), 0o644); err != nil {
		t.Fatal(err)
	}
	e.must("cp", from, "box:/made/deep/dir")
	for _, dir := range []string{"/made", "/made/deep/dir"} {
		tar := e.must("cp", "box:"+dir, "-")
		if mode, owner := strings.TrimRight(tar[100:108], " \x00"), strings.TrimRight(tar[108:124], " \x00"); !strings.HasSuffix(mode, "755") || strings.Trim(owner, "0\x00 ") != "" {
			t.Errorf("%s has mode %q and owner %q", dir, mode, owner)
		}
	}
	e.fails(1, "Cannot mkdir: /data/seed is not a directory", "create", "-w", "/data/seed", "testbox")
	e.fails(1, "not a directory", "create", "-w", "/data/seed/x", "testbox")
	// Below a mount it is made in the root at create, and in what is mounted at the start.
	host := t.TempDir()
	e.must("create", "--name", "mounted", "-v", host+":/host", "-w", "/host/dir", "testbox", "pwd")
	if left, err := os.ReadDir(host); err != nil || len(left) != 0 {
		t.Errorf("a create made %v on the host, %v", left, err)
	}
	if got := e.must("start", "-a", "mounted"); got != "/host/dir" {
		t.Errorf("it is in %q", got)
	}
}

package runtimetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/lifecycle"
)

// Platform is what is tested.
type Platform struct {
	// Open returns the runtime as a daemon with this mark opens it on its state directory.
	Open func(t *testing.T, state string, owner engine.Owner) lifecycle.Runtime
	// Leftovers lists what the kernel still holds of an owner; nil where Sandboxes tells all.
	Leftovers func(t *testing.T, state string, owner engine.Owner) []string
	// Image is what the containers' root is for.
	Image engine.Platform
}

// Case is a test of the suite, or one of a platform's own.
type Case struct {
	Name string
	Test func(*testing.T, *Bench)
}

// Run runs the whole suite, and then a platform's own cases.
func Run(t *testing.T, p Platform, own ...Case) {
	program := buildProgram(t, p.Image)
	for _, c := range append(suite(), own...) {
		t.Run(c.Name, func(t *testing.T) { c.Test(t, newBench(t, p, program)) })
	}
}

func suite() []Case {
	return []Case{
		{"ExitStatus", testExitStatus},
		{"Streams", testStreams},
		{"Environment", testEnvironment},
		{"Users", testUsers},
		{"WorkingDirectory", testWorkingDirectory},
		{"Hostname", testHostname},
		{"NotExecutable", testNotExecutable},
		{"UnknownUser", testUnknownUser},
		{"Terminal", testTerminal},
		{"Binds", testBinds},
		{"Tmpfs", testTmpfs},
		{"Files", testFiles},
		{"ReadonlyRoot", testReadonlyRoot},
		{"MountsStayInside", testMountsStayInside},
		{"Exec", testExec},
		{"ExecTerminal", testExecTerminal},
		{"ExecFailures", testExecFailures},
		{"ExecsAtOnce", testExecsAtOnce},
		{"Signals", testSignals},
		{"Kill", testKill},
		{"Pause", testPause},
		{"RemovePaused", testRemovePaused},
		{"Stats", testStats},
		{"Processes", testProcesses},
		{"MemoryLimit", testMemoryLimit},
		{"MemoryTold", testMemoryTold},
		{"Update", testUpdate},
		{"Check", testCheck},
		{"Again", testAgain},
		{"Sandboxes", testSandboxes},
		{"RemoveRepeats", testRemoveRepeats},
		{"RemoveAfterEachStep", testRemoveAfterEachStep},
		{"TwoOwners", testTwoOwners},
	}
}

// programMark in the environment names a test program that was built elsewhere, for hosts without a Go toolchain.
const programMark = "XC_RUNTIMETEST_PROGRAM"

// buildProgram builds the test program for the containers' platform.
func buildProgram(t *testing.T, image engine.Platform) string {
	t.Helper()
	if built := os.Getenv(programMark); built != "" {
		return built
	}
	file := filepath.Join(t.TempDir(), "testbox")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", file, "github.com/xcengine/xc/integration/testbox")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+image.OS, "GOARCH="+image.Architecture)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the test program: %v\n%s", err, out)
	}
	return file
}

// passwd and group are the root's accounts.
const (
	passwd = "root:x:0:0:root:/root:/bin/sh\nplain:x:1000:1000:Plain User:/home/plain:/bin/sh\n"
	group  = "root:x:0:\nplain:x:1000:\nextra:x:2000:plain\nmore:x:3000:\n"
)

// makeRoot makes a container's root of the program under the names of its commands.
func makeRoot(t *testing.T, dir, program string) {
	t.Helper()
	for _, d := range []string{"bin", "etc", "tmp", "dev", "proc", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"bin/testbox": b, "etc/passwd": []byte(passwd), "etc/group": []byte(group), "etc/plain": []byte("text\n")} {
		mode := os.FileMode(0o644)
		if name == "bin/testbox" {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name := range strings.FieldsSeq("true false echo cat env exit sleep sh ls stat write pwd lines kill id hostname tty signals forktree memory spin mounts caps ps ifaddrs test") {
		if err := os.Symlink("testbox", filepath.Join(dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
}

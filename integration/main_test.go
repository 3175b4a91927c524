package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kit is what all tests share: the programs, built once, and the test image. On a machine without the Go toolchain both are
// brought: XC_BIN names the directory of the programs, XC_TESTBOX the image's tar.
var kit struct {
	bin    string // directory of xcd, xc-shim, xc
	image  string // testbox as docker load takes it
	docker string // the CLI
	config string // the CLI's directory
	skip   string // why nothing can be run here
	// patience multiplies every wait of the tests, for machines that are slow: XC_PATIENCE, a whole number.
	patience time.Duration
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "xc-it")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	kit.skip = prepare(dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// prepare builds what the tests need and says what keeps them from running.
func prepare(dir string) string {
	if os.Getuid() != 0 {
		return "needs root: the daemon mounts file systems and makes network interfaces"
	}
	if runtime.GOOS != "linux" && runtime.GOOS != "freebsd" {
		return "containers run on FreeBSD and Linux alone"
	}
	kit.patience, kit.config = 1, filepath.Join(dir, "cli")
	if s := os.Getenv("XC_PATIENCE"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Sprintf("XC_PATIENCE=%s: not a whole number above 0", s)
		}
		kit.patience = time.Duration(n)
	}
	var err error
	if kit.docker, err = exec.LookPath("docker"); err != nil {
		return "needs a docker CLI on PATH (sh integration/demo/docker-cli.sh brings one without an engine)"
	}
	kit.bin = os.Getenv("XC_BIN")
	if kit.bin == "" {
		kit.bin = dir
		if out, err := output("go", "build", "-o", dir, "github.com/xcengine/xc/cmd/xcd", "github.com/xcengine/xc/cmd/xc-shim", "github.com/xcengine/xc/cmd/xc"); err != nil {
			return fmt.Sprintf("the programs do not build: %v\n%s", err, out)
		}
	}
	if kit.image = os.Getenv("XC_TESTBOX"); kit.image != "" {
		return ""
	}
	kit.image = filepath.Join(dir, "testbox.tar")
	image, err := exec.Command("go", "run", "github.com/xcengine/xc/integration/testbox/mkimage").Output()
	if err != nil {
		return fmt.Sprintf("the test image cannot be made: %v", err)
	}
	if err := os.WriteFile(kit.image, image, 0o600); err != nil {
		return err.Error()
	}
	return ""
}

func output(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	return strings.TrimRight(string(out), "\n"), err
}

package pidlock

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const holdEnv = "XC_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdEnv); path != "" {
		l, err := Acquire(path)
		fmt.Println(err)
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		fmt.Println(l.Release())
		return
	}
	os.Exit(m.Run())
}

// hold starts another process that takes the lock; release lets it go on its own.
func hold(t *testing.T, path string) (cmd *exec.Cmd, held <-chan string, release func()) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 4)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, lines, func() { in.Close() }
}

func holder(t *testing.T, path string) int {
	t.Helper()
	pid, err := Holder(path)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestHolderIsNamedWhileItLives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pid")
	if pid := holder(t, path); pid != 0 {
		t.Errorf("no file, holder %d", pid)
	}
	cmd, held, release := hold(t, path)
	if s := <-held; s != "<nil>" {
		t.Fatal(s)
	}
	if pid := holder(t, path); pid != cmd.Process.Pid {
		t.Errorf("holder %d instead of %d", pid, cmd.Process.Pid)
	}
	b, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(cmd.Process.Pid) {
		t.Errorf("%q %v", b, err)
	}
	release()
	if s := <-held; s != "<nil>" {
		t.Fatal(s)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
}

func TestKillEndsTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pid")
	if err := Kill(path, time.Second); err != nil {
		t.Errorf("no holder: %v", err)
	}
	_, held, _ := hold(t, path)
	<-held
	if err := Kill(path, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if pid := holder(t, path); pid != 0 {
		t.Errorf("holder %d", pid)
	}
}

// Who waits gets the lock when the holder goes, also when that one removes the file.
func TestNextHolderWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pid")
	_, held, release := hold(t, path)
	<-held
	second, waits, _ := hold(t, path)
	select {
	case s := <-waits:
		t.Fatalf("the lock was given twice: %s", s)
	case <-time.After(100 * time.Millisecond):
	}
	release()
	if s := <-waits; s != "<nil>" {
		t.Fatal(s)
	}
	if pid := holder(t, path); pid != second.Process.Pid {
		t.Errorf("holder %d instead of %d", pid, second.Process.Pid)
	}
}

package logs

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs/jsonfile"
)

const crashEnv = "XC_TEST_LOG_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		if err := writeUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func crashSpec(path string) engine.LogFile {
	return engine.LogFile{Path: path, MaxSize: 30_000, MaxFiles: 5000, Compress: true}
}

// writeUntilKilled goes on counting where the log ends, and says on stdout how far it has come.
func writeUntilKilled(path string) error {
	w, err := jsonfile.Open(crashSpec(path))
	if err != nil {
		return err
	}
	next, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil {
		return err
	}
	for ; ; next += 20 {
		var b strings.Builder
		for i := range 20 {
			fmt.Fprintln(&b, next+i)
		}
		if err := w.Write(engine.SourceStdout, []byte(b.String())); err != nil {
			return err
		}
		fmt.Println(next + 20)
	}
}

// A writer that is killed at any moment has lost no line whose Write returned, and the next one leaves no gap and no double.
func TestKilledWriterLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x-json.log")
	next := 0
	for round := range 25 {
		cmd := exec.Command(os.Args[0], strconv.Itoa(next))
		cmd.Env = append(os.Environ(), crashEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		written := next
		for s := bufio.NewScanner(out); s.Scan(); {
			if n, err := strconv.Atoi(s.Text()); err == nil {
				if written == next {
					time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
				}
				written = n
			}
		}
		_ = cmd.Wait()
		got := read(t, crashSpec(path), everything)
		if len(got) < written {
			t.Fatalf("round %d: %d lines, %d were written", round, len(got), written)
		}
		for i, n := range got {
			if n != i {
				t.Fatalf("round %d: line %d instead of %d", round, n, i)
			}
		}
		next = len(got)
	}
	if next < 1000 {
		t.Errorf("only %d lines in all", next)
	}
}

package hostlock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/xcengine/xc/engine/platform/hostlock"
)

func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, most int
	var mu sync.Mutex
	enter := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		inside += by
		most = max(most, inside)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				release, err := hostlock.Take(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				enter(1)
				enter(-1)
				release()
			}
		})
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d held the lock at once", most)
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := hostlock.Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hostlock.Take(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("a held lock, waited for: %v", err)
	}
	release()
	release, err = hostlock.Take(ctx, path)
	if err != nil {
		t.Fatalf("a free lock: %v", err)
	}
	release()
}

// holder is the file that this test program locks when it is run by TestEndOfItsHolderFreesIt.
const holder = "XC_TEST_HOSTLOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(holder); path != "" {
		if _, err := hostlock.Take(context.Background(), path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		select {}
	}
	os.Exit(m.Run())
}

func TestEndOfItsHolderFreesIt(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "lock")
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), holder+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the holder says %q, %v", line, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hostlock.Take(ctx, path); err == nil {
		t.Error("another process holds it, and it is had")
	}
	cmd.Process.Kill() //nolint:errcheck // Wait tells
	cmd.Wait()         //nolint:errcheck // it was killed
	release, err := hostlock.Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	release()
}

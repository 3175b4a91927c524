package shim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
)

var errDetached = errors.New("detached")

// leaver is an input that fails, as the detach keys make it.
type leaver struct{ after chan struct{} }

func (l leaver) Read([]byte) (int, error) {
	<-l.after
	return 0, errDetached
}

func TestClientsComeAndGo(t *testing.T) {
	b := newBox(t, nil)
	l := launch("cat")
	l.Stdin = true
	b.run(l)
	leave := leaver{make(chan struct{})}
	detached := b.attach(leave)
	canceled := b.attach(nil)
	r, w := io.Pipe()
	stays := b.attach(r)
	fmt.Fprintln(w, "one")
	for b.logged() != "one\n" {
		time.Sleep(time.Millisecond)
	}
	close(leave.after)
	if err := <-detached.done; !errors.Is(err, errDetached) {
		t.Errorf("detached: %v", err)
	}
	canceled.stop()
	if err := <-canceled.done; !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	fmt.Fprintln(w, "two")
	for b.logged() != "one\ntwo\n" {
		time.Sleep(time.Millisecond)
	}
	if err := b.h.Signal(t.Context(), "", "KILL"); err != nil {
		t.Fatal(err)
	}
	b.end()
	out, _ := stays.wait()
	expect(t, "who stayed", "one\ntwo\n", out)
	expect(t, "who detached", "one\n", detached.out.String())
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestStreamEndsWithItsWriter(t *testing.T) {
	b := newBox(t, nil)
	c, err := b.h.Attach(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	b.run(sh("echo x; sleep 30"))
	if err := c.Stream(t.Context(), engine.Stdio{Stdout: failing{}}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

// slow takes nothing until it is let go.
type slow struct {
	go_ chan struct{}
	n   int
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.go_
	s.n += len(p)
	return len(p), nil
}

// A client that does not read holds the process up; when it reads on, it gets everything.
func TestSlowClientHoldsTheProcess(t *testing.T) {
	b := newBox(t, nil)
	c, err := b.h.Attach(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	w := &slow{go_: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- c.Stream(t.Context(), engine.Stdio{Stdout: w}) }()
	b.run(sh("head -c 20000000 /dev/zero"))
	select {
	case e := <-b.h.Events():
		t.Fatalf("the process was not held: %+v", e)
	case <-time.After(300 * time.Millisecond):
	}
	// Others are served meanwhile.
	if _, err := b.h.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(w.go_)
	b.end()
	if err := <-done; err != nil || w.n != 20_000_000 {
		t.Errorf("%v, %d bytes", err, w.n)
	}
}

// A client that has vanished holds nothing up.
func TestVanishedClientFreesTheProcess(t *testing.T) {
	b := newBox(t, nil)
	c, err := b.h.Attach(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	b.run(sh("head -c 20000000 /dev/zero"))
	time.Sleep(100 * time.Millisecond)
	c.Close()
	if exit := b.end(); exit.Code != 0 {
		t.Errorf("%+v", exit)
	}
}

// The end of main is told in bounded time even if a client never reads, and the log is whole.
func TestStuckClientDoesNotHideTheEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than ten seconds")
	}
	b := newBox(t, nil)
	c, err := b.h.Attach(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b.run(sh("yes | head -c 3000000; exit 6"))
	time.Sleep(300 * time.Millisecond)
	if err := b.h.Signal(t.Context(), "", "KILL"); err != nil && engine.KindOf(err) != engine.NotFound {
		t.Fatal(err)
	}
	select {
	case <-b.h.Events():
	case <-time.After(30 * time.Second):
		t.Fatal("the end was not told")
	}
}

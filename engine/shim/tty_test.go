package shim_test

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTTY(t *testing.T) {
	b := newBox(t, nil)
	if err := b.h.Resize(t.Context(), "", 20, 70); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	a := b.attach(r)
	l := sh("test -t 0 && test -t 1 && test -t 2 || exit 9; stty size; read word; stty size; echo got $word; stty -echo; echo ready; read x; exit 5")
	l.TTY, l.Stdin, l.StdinOnce = true, true, true
	b.run(l)
	for !strings.Contains(b.logged(), "20 70") {
		time.Sleep(time.Millisecond)
	}
	if err := b.h.Resize(t.Context(), "", 44, 99); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(w, "hello")
	for !strings.Contains(b.logged(), "ready") {
		time.Sleep(time.Millisecond)
	}
	w.Close() // the end of a client's input does not close a terminal
	again := b.attach(strings.NewReader("\n"))
	if exit := b.end(); exit.Code != 5 {
		t.Errorf("%+v", exit)
	}
	out, stderr := a.wait()
	expect(t, "terminal", "20 70\r\nhello\r\n44 99\r\ngot hello\r\nready\r\n", out)
	expect(t, "stderr", "", stderr)
	again.wait()
}

func TestTTYInterruptAndHangup(t *testing.T) {
	b := newBox(t, nil)
	a := b.attach(strings.NewReader("\x03"))
	l := launch("sleep", "30")
	l.TTY, l.Stdin = true, true
	b.run(l)
	if exit := b.end(); exit.Signal != int(syscall.SIGINT) {
		t.Errorf("%+v", exit)
	}
	a.wait()
}

func TestLaunchSizesTheTerminal(t *testing.T) {
	b := newBox(t, nil)
	a := b.attach(nil)
	l := launch("stty", "size")
	l.TTY, l.Size = true, [2]uint16{31, 101}
	l.Stdin = true
	b.run(l)
	b.end()
	out, _ := a.wait()
	expect(t, "size", "31 101\r\n", out)
}

func TestResizeWithoutTerminalDoesNothing(t *testing.T) {
	b := newBox(t, nil)
	b.run(launch("sleep", "30"))
	if err := b.h.Resize(t.Context(), "", 20, 70); err != nil {
		t.Error(err)
	}
}

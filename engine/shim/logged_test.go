package shim_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs"
)

func TestLogged(t *testing.T) {
	b := newBox(t, nil)
	r, w := io.Pipe()
	b.attach(r)
	grew, stop, err := b.h.Logged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	other, stopOther, err := b.h.Logged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := launch("cat")
	l.Stdin, l.StdinOnce = true, true
	b.run(l)
	for i := range 5 {
		fmt.Fprintln(w, i)
		for strings.Count(b.logged(), "\n") <= i {
			if _, ok := <-grew; !ok {
				t.Fatal("closed")
			}
		}
	}
	<-other
	stopOther()
	stopOther()
	if _, ok := <-other; ok {
		if _, ok = <-other; ok {
			t.Error("it goes on after stop")
		}
	}
	w.Close()
	b.event()
	for range grew { // closed at the log's end, before the shim is let go
	}
	late, stop, err := b.h.Logged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, ok := <-late; ok {
		t.Error("growth of a log that has ended")
	}
}

// The whole way of a log under load: the process writes, the shim rotates, a reader follows on the shim's word.
func TestFollowUnderLoad(t *testing.T) {
	b := newBox(t, func(s *engine.Supervision) { s.Log.MaxSize, s.Log.MaxFiles, s.Log.Compress = 200_000, 1000, true })
	grew, stop, err := b.h.Logged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	s, err := logs.Open(b.sup.Log, engine.LogQuery{Stdout: true, Stderr: true, Tail: -1, Follow: true}, grew)
	if err != nil {
		t.Fatal(err)
	}
	const total = 100_000
	read := make(chan error, 1)
	go func() {
		next := 1
		err := s.Read(t.Context(), func(r engine.LogRecord) error {
			if want := fmt.Sprintf("%d\n", next); string(r.Data) != want {
				return fmt.Errorf("%q instead of %q", r.Data, want)
			}
			next++
			return nil
		}, nil)
		if err == nil && next != total+1 {
			err = fmt.Errorf("ended before line %d", next)
		}
		read <- err
	}()
	b.run(sh(fmt.Sprintf("seq 1 %d", total)))
	b.end()
	if err := <-read; err != nil {
		t.Error(err)
	}
	if b.logged() != counted(1, total) {
		t.Error("the log is not whole")
	}
}

package frames

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
)

func TestFrames(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	long := bytes.Repeat([]byte("x"), MaxFrame+7)
	if n, err := w.Stream(Stdout).Write(long); n != len(long) || err != nil {
		t.Fatal(n, err)
	}
	if err := w.WriteJSON(Exit, Status{Code: 3}); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(Stdin, long); err == nil {
		t.Error("a frame that is too long was written")
	}
	whole := b.Bytes()
	r := NewReader(bytes.NewReader(whole))
	for _, want := range []struct {
		kind Kind
		text string
	}{{Stdout, string(long[:MaxFrame])}, {Stdout, "xxxxxxx"}, {Exit, `{"code":3}`}} {
		k, p, err := r.Read()
		if err != nil || k != want.kind || string(p) != want.text {
			t.Errorf("%c of %d bytes, %v; want %c of %d", k, len(p), err, want.kind, len(want.text))
		}
	}
	if _, _, err := r.Read(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	r = NewReader(bytes.NewReader(whole[:len(whole)-1]))
	var err error
	for err == nil {
		_, _, err = r.Read()
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut within a frame: %v", err)
	}
	if _, _, err := NewReader(bytes.NewReader([]byte{'o', 0xff, 0, 0, 0})).Read(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a frame longer than is allowed: %v", err)
	}
}

// TestWindow lets a process that takes nothing stop the client, and not the connection.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := io.Pipe()
		out := NewOutput(NewWriter(server))
		in := NewInput(func(n int) error { return out.Acked(AckBytes(n)) })
		size := 3 * Window
		go func() {
			n, err := out.Write(make([]byte, size))
			if n != size || err != nil {
				t.Error(n, err)
			}
			server.Close()
		}()
		go func() {
			for r := NewReader(client); ; {
				_, p, err := r.Read()
				if err != nil {
					in.Close()
					return
				}
				if err := in.Put(p); err != nil {
					t.Error(err)
				}
			}
		}()
		synctest.Wait()
		in.mu.Lock()
		waiting := len(in.buf)
		in.mu.Unlock()
		if waiting != Window {
			t.Errorf("%d bytes wait, want %d", waiting, Window)
		}
		got, err := io.ReadAll(in)
		if len(got) != size || err != nil {
			t.Error(len(got), err)
		}
	})
}

func TestInputRefusesMoreThanTheWindow(t *testing.T) {
	in := NewInput(nil)
	if err := in.Put(make([]byte, Window)); err != nil {
		t.Error(err)
	}
	if err := in.Put([]byte("x")); err == nil {
		t.Error("more than the window was taken")
	}
	out := NewOutput(NewWriter(io.Discard))
	if err := out.Acked(AckBytes(1)); err == nil {
		t.Error("what was not sent was acknowledged")
	}
	out.End()
	if _, err := out.Write([]byte("x")); err != io.ErrClosedPipe {
		t.Errorf("after the end: %v", err)
	}
}

package unixsock

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDialReachesSocketsBehindLongPaths(t *testing.T) {
	for _, length := range []int{0, 90, 200} {
		dir := t.TempDir()
		if length > 0 {
			dir = filepath.Join(dir, strings.Repeat("d", length))
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		l := listen(t, dir)
		if _, err := Dial(t.Context(), dir, "absent.sock"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("absent socket: %v", err)
		}
		c, err := Dial(t.Context(), dir, "x.sock")
		if err != nil {
			t.Fatalf("%d bytes: %v", len(dir), err)
		}
		c.Close()
		l.SetUnlinkOnClose(false)
		l.Close()
		if _, err := Dial(t.Context(), dir, "x.sock"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listening: %v", err)
		}
	}
}

// listen binds where the path is short, as the server in its own directory does, and moves the socket.
func listen(t *testing.T, dir string) *net.UnixListener {
	t.Helper()
	short, err := os.MkdirTemp("", "us")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(short, "x.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(short, "x.sock"), filepath.Join(dir, "x.sock")); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestDialRefusesALongName(t *testing.T) {
	_, err := Dial(t.Context(), t.TempDir(), strings.Repeat("n", 120))
	if !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Fatal(err)
	}
}

func TestDialAsksTheContext(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	if _, err := Dial(ctx, t.TempDir(), "x.sock"); err == nil {
		t.Fatal("no error")
	}
}

func TestPairIsConnected(t *testing.T) {
	ours, file, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := Conn(file)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if _, err := ours.Write([]byte("word")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	n, err := theirs.Read(b)
	if err != nil || string(b[:n]) != "word" {
		t.Fatal(err, string(b[:n]))
	}
}

func TestFilesUntilTheEnd(t *testing.T) {
	here, there, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	out, err := Conn(there)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFiles(out, []byte("word"), []*os.File{os.Stdin}); err != nil {
		t.Fatal(err)
	}
	out.Close()
	in := NewFileReader(here)
	said, err := io.ReadAll(in)
	files := in.Take()
	for _, f := range files {
		f.Close()
	}
	if err != nil || string(said) != "word" || len(files) != 1 {
		t.Errorf("%q, %d files, %v", said, len(files), err)
	}
}

package launch

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestConsole(t *testing.T) {
	// Longer than a socket's address can be.
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds the first's name taken
		c, err := newConsole(dir, "main.sock")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: c.runtimePath(), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.WriteMsgUnix([]byte("/dev/pts/0"), unix.UnixRights(int(w.Fd())), nil); err != nil {
			t.Fatal(err)
		}
		got, err := c.master()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := got.WriteString("through"); err != nil {
			t.Error(err)
		}
		b := make([]byte, 16)
		if n, err := r.Read(b); err != nil || string(b[:n]) != "through" {
			t.Errorf("%q, %v", b[:n], err)
		}
		for _, f := range []*os.File{r, w, got} {
			f.Close()
		}
		conn.Close()
		if err := os.WriteFile(filepath.Join(dir, "left"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c.close()
	}
}

func TestConsoleWithoutRights(t *testing.T) {
	c, err := newConsole(t.TempDir(), "x.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: c.runtimePath(), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("nothing with it")); err != nil {
		t.Fatal(err)
	}
	if f, err := c.master(); err == nil {
		f.Close()
		t.Error("a terminal came of nothing")
	}
}

package fdpass_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine/internal/fdpass"
)

// pair gives both ends of a connection.
func pair(t *testing.T) (*net.UnixConn, *fdpass.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := fdpass.Listen(l).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.UnixConn), s.(*fdpass.Conn)
}

func opened(t *testing.T, content string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFilesComeWithTheBytes(t *testing.T) {
	c, s := pair(t)
	long := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB: more than one write takes
	go func() {
		w := fdpass.Pass(c, []*os.File{opened(t, "one"), opened(t, "two")})
		io.WriteString(w, long) //nolint:errcheck // the other end counts
		io.WriteString(w, "end")
		c.CloseWrite()
	}()
	got, err := io.ReadAll(s)
	if err != nil || string(got) != long+"end" {
		t.Fatalf("%d bytes came, %v", len(got), err)
	}
	files := s.Files()
	if len(files) != 2 {
		t.Fatalf("%d files came", len(files))
	}
	for i, want := range []string{"one", "two"} {
		var b bytes.Buffer
		if _, err := io.Copy(&b, io.NewSectionReader(files[i], 0, 100)); err != nil || b.String() != want {
			t.Errorf("file %d has %q, %v", i, b.String(), err)
		}
	}
	s.Close()
	if _, err := files[0].Stat(); err == nil {
		t.Error("a file outlives its connection")
	}
}

func TestErrorsReadNothing(t *testing.T) {
	_, s := pair(t)
	if err := s.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Read(make([]byte, 8)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %d, %v", n, err)
	}
}

func TestTooManyFiles(t *testing.T) {
	c, s := pair(t)
	f := opened(t, "x")
	var many []*os.File
	for range fdpass.Most + 8 {
		many = append(many, f)
	}
	for range 2 {
		if _, err := io.WriteString(fdpass.Pass(c, many), "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.Files()); n > fdpass.Most {
		t.Errorf("it keeps %d files", n)
	}
}

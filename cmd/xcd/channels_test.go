package main

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What could not be noted is none of the daemon's.
func TestChannelThatIsNotNoted(t *testing.T) {
	dir := t.TempDir()
	c, err := openChannels(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(c.file+".part", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := c.listen(t.Context(), filepath.Join(dir, "a"), 0o600); err == nil {
		t.Error("a channel was made that is not noted")
	}
	if err := os.Remove(c.file + ".part"); err != nil {
		t.Fatal(err)
	}
	l, err := c.listen(t.Context(), filepath.Join(dir, "b"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.file)
	if want := filepath.Join(dir, "b") + "\n"; err != nil || string(text) != want {
		t.Errorf("noted %q, %v; want %q", text, err, want)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestChannelsOfAKilledDaemon asserts that the next daemon removes the sockets that nobody serves any more, and nothing else.
func TestChannelsOfAKilledDaemon(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	killed, err := openChannels(t.Context(), state, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stale", "closed", "file", "served", "gone"} {
		l, err := killed.listen(t.Context(), at(name), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if name == "closed" {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		// As the kernel does for a process that is killed: the descriptor goes, the file stays.
		if err := l.(*channelListener).Listener.(*unixListener).Listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(state, "channels")); err != nil || strings.Contains(string(text), "closed") {
		t.Fatalf("%q, %v", text, err)
	}
	for _, name := range []string{"closed", "file", "served", "gone"} {
		os.Remove(at(name))
	}
	if err := os.WriteFile(at("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", at("served"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := openChannels(t.Context(), state, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"stale": false, "closed": false, "file": true, "served": true, "gone": false} {
		if _, err := os.Lstat(at(name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(state, "channels")); err == nil {
		t.Error("the list is still there")
	}
}

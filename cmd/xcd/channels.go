package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// channels notes the sockets that xc channel create asked for, a path a line, so that those of a daemon that was killed are removed
// by the next one.
type channels struct {
	file string
	mu   sync.Mutex
	open []string
}

// openChannels removes what a daemon before this one left: sockets on which nobody answers. What else has come to stand there is left
// alone.
func openChannels(ctx context.Context, stateDir string, log *slog.Logger) (*channels, error) {
	c := &channels{file: filepath.Join(stateDir, "channels")}
	text, err := os.ReadFile(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	for _, path := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		removed, err := removeStale(ctx, path)
		if err != nil || removed {
			log.InfoContext(ctx, "channel of an earlier daemon", "socket", path, "removed", removed, "error", err)
		}
	}
	return c, os.Remove(c.file)
}

// listen makes a channel's socket, which is forgotten when it is closed.
func (c *channels) listen(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	if strings.ContainsRune(path, '\n') {
		return nil, refusedSocket(path, errors.New("there is a line feed in its name"))
	}
	if err := c.note(func(open []string) []string { return append(open, path) }); err != nil {
		return nil, refusedSocket(path, err)
	}
	forget := func() error {
		return c.note(func(open []string) []string { return slices.DeleteFunc(open, func(p string) bool { return p == path }) })
	}
	l, err := listenUnix(ctx, path, "", mode)
	if err != nil {
		return nil, errors.Join(err, forget())
	}
	return &channelListener{l, forget}, nil
}

// note changes the list. One that cannot be written stays as it was: what it names was made by a daemon.
func (c *channels) note(change func(open []string) []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := change(slices.Clone(c.open))
	if err := c.write(open); err != nil {
		return err
	}
	c.open = open
	return nil
}

func (c *channels) write(open []string) error {
	if len(open) == 0 {
		if err := os.Remove(c.file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	part := c.file + ".part"
	if err := os.WriteFile(part, []byte(strings.Join(open, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(part, c.file)
}

type channelListener struct {
	net.Listener
	forget func() error
}

// Close removes the socket and forgets it.
func (l *channelListener) Close() error { return errors.Join(l.Listener.Close(), l.forget()) }

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/xcengine/xc/engine"
)

// probeTimeout bounds the wait for an answer of whoever holds a socket.
const probeTimeout = 2 * time.Second

// listenUnix serves a unix socket with a mode and the group, if it exists. A socket on which somebody answers is never
// taken over; one that nobody serves any more is replaced.
func listenUnix(ctx context.Context, path, group string, mode fs.FileMode) (net.Listener, error) {
	refuse := func(err error) error { return refusedSocket(path, err) }
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, refuse(err)
	}
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, refuse(err)
	case fi.Mode().Type() != fs.ModeSocket:
		return nil, refuse(errors.New("something that is not a socket is there: remove it, or choose another path"))
	default:
		removed, err := removeStale(ctx, path)
		if err == nil && !removed {
			err = errors.New("another daemon answers on this socket: stop it, or choose another path with -H or --socket")
		}
		if err != nil {
			return nil, refuse(err)
		}
	}
	// The socket is made under another name, so that nobody connects before its mode is set.
	making := fmt.Sprintf("%s.%d", path, os.Getpid())
	l, err := net.Listen("unix", making)
	if err != nil {
		return nil, refuse(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := errors.Join(own(making, group, mode), os.Rename(making, path)); err != nil {
		return nil, errors.Join(refuse(err), l.Close(), os.Remove(making))
	}
	return &unixListener{l, path}, nil
}

func refusedSocket(path string, err error) error {
	return &engine.Error{Op: "listen", Kind: engine.Conflict, Resource: engine.ResourcePath, ID: path, Err: err}
}

// removeStale removes a socket on which nobody answers. Everything else stays.
func removeStale(ctx context.Context, path string) (removed bool, err error) {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || fi.Mode().Type() != fs.ModeSocket {
		return false, err
	}
	d := net.Dialer{Timeout: probeTimeout}
	if c, err := d.DialContext(ctx, "unix", path); err == nil {
		return false, c.Close()
	}
	err = os.Remove(path)
	return err == nil, err
}

// own sets a socket's mode and group. A group that does not exist leaves it to root alone.
func own(path, group string, mode fs.FileMode) error {
	if err := os.Chmod(path, mode); err != nil {
		return err
	}
	if group == "" || os.Geteuid() != 0 {
		return nil
	}
	gid, err := strconv.Atoi(group)
	if err != nil {
		g, err := user.LookupGroup(group)
		var unknown user.UnknownGroupError
		if errors.As(err, &unknown) {
			return nil
		}
		if err != nil {
			return err
		}
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return err
		}
	}
	return os.Chown(path, 0, gid)
}

// unixListener removes its socket when it is closed.
type unixListener struct {
	net.Listener
	path string
}

func (l *unixListener) Close() error {
	return errors.Join(l.Listener.Close(), os.Remove(l.path))
}

package main

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// session is a stay at a process's streams.
type session struct {
	ref        string
	tty, stdin bool
	proxy      bool         // pass signals on to the container
	before     func() error // when connected, before anything is moved; may be nil
	move       func(ctx context.Context, s client.Streams) (int, error)
}

// attached moves a process's streams from and to ours. A terminal is raw meanwhile, and its size is the process's.
func (a *app) attached(ctx context.Context, s session) (int, error) {
	streams := client.Streams{Stdout: a.stdout, Attached: s.before}
	if s.stdin {
		streams.Stdin = a.stdin
	}
	if !s.tty {
		streams.Stderr = a.stderr
	}
	if s.proxy {
		defer a.signals(func(sig os.Signal) {
			if n, ok := sig.(unix.Signal); ok {
				go a.pass(ctx, s.ref, n)
			}
		})()
	}
	in := terminal(a.stdin)
	if !s.tty || !s.stdin || in == nil {
		return s.move(ctx, streams)
	}
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return 0, err
	}
	defer term.Restore(int(in.Fd()), before) //nolint:errcheck // there is nobody to tell
	resized, stop := sizes(terminal(a.stdout))
	defer stop()
	streams.Resized = resized
	return s.move(ctx, streams)
}

// pass sends a signal to a container.
func (a *app) pass(ctx context.Context, ref string, sig unix.Signal) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// What has ended meanwhile needs none.
	_ = a.daemon().KillContainer(ctx, ref, unix.SignalName(sig))
}

// sizes tells the size of a terminal, now and whenever it changes.
func sizes(f *os.File) (<-chan wire.Size, func()) {
	out, done := make(chan wire.Size, 1), make(chan struct{})
	changed, stop := windowChanges()
	go func() {
		defer close(out)
		for {
			if s := size(f); s != nil {
				select {
				case out <- *s:
				case <-done:
					return
				}
			}
			select {
			case <-changed:
			case <-done:
				return
			}
		}
	}()
	return out, func() { stop(); close(done) }
}

// hold links a container's life to this program's: when that ends, the daemon kills the container. A daemon that is restarted is
// connected anew.
func (a *app) hold(ctx context.Context, ref string) error {
	deadline := time.Now().Add(reconnect)
	for {
		_, err := a.daemon().Link(ctx, ref, func() { deadline = time.Now().Add(reconnect) })
		if err == nil || ctx.Err() != nil || !daemonGone(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(reconnectPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// daemonGone reports whether an error says that the daemon ends, or has.
func daemonGone(err error) bool {
	return !errors.As(err, new(*client.Error)) || engine.KindOf(err) == engine.Unavailable
}

const (
	reconnect      = time.Minute            // how long a daemon that has gone is waited for
	reconnectPause = 200 * time.Millisecond // between attempts
)

// Command xc-shim supervises one container on behalf of xcd, which starts it; it is of no use by hand. See engine/shim.
//
//	xc-shim DIR
//
// Its program is also what it starts inside of containers: docker-init on Linux, the second stage of a process in a jail on
// FreeBSD (engine/platform/shimlaunch).
//
// DIR is the container's directory. Descriptor 3 is the connection to xcd, the listeners of published ports follow. SIGTERM
// is passed on to the container's main process.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs/jsonfile"
	"github.com/xcengine/xc/engine/logs/syslog"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/platform/shimlaunch"
	"github.com/xcengine/xc/engine/shim"
)

// There is a shim for every container: memory counts more than speed of allocation, of which there is little.
const (
	gcPercent  = 20
	processors = 2
)

func main() {
	shimlaunch.Other(os.Args)
	if err := run(context.Background(), os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "xc-shim:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: xc-shim DIR (it is started by xcd)")
	}
	debug.SetGCPercent(gcPercent)
	runtime.GOMAXPROCS(min(processors, runtime.NumCPU()))
	r, err := reaper.New()
	if err != nil {
		return err
	}
	return shim.Serve(ctx, shim.ServerConfig{
		Dir: args[0], Launcher: shimlaunch.New(r), Reaper: r, OpenLog: openLog,
		Log: slog.New(slog.NewTextHandler(stderr, nil)),
	})
}

// openLog opens what a container's log consists of: a file, a syslog receiver, or both.
func openLog(f engine.LogFile) (shim.Log, error) {
	var logs both
	if f.Syslog != nil {
		w, err := syslog.Open(*f.Syslog)
		if err != nil {
			return nil, err
		}
		logs = append(logs, w)
	}
	if f.Path != "" {
		w, err := jsonfile.Open(f)
		if err != nil {
			return nil, errors.Join(err, logs.Close())
		}
		logs = append(logs, w)
	}
	if len(logs) == 1 {
		return logs[0], nil
	}
	return logs, nil
}

// both is several logs at once.
type both []shim.Log

func (b both) Write(src engine.Source, p []byte) error {
	return b.each(func(l shim.Log) error { return l.Write(src, p) })
}

// Mark tells where the one of the logs has come to that can be read.
func (b both) Mark() (engine.LogMark, error) {
	for _, l := range b {
		if m, ok := l.(shim.Marker); ok {
			return m.Mark()
		}
	}
	return engine.LogMark{}, errors.New("no log that is kept")
}

func (b both) Finish() error { return b.each(shim.Log.Finish) }
func (b both) Close() error  { return b.each(shim.Log.Close) }

// each does the same with every log, whatever comes of it with others.
func (b both) each(do func(shim.Log) error) error {
	var errs []error
	for _, l := range b {
		errs = append(errs, do(l))
	}
	return errors.Join(errs...)
}

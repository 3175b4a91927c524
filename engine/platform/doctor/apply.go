package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
)

// Applier does steps on this host.
type Applier struct {
	Run runner.Runner
	Now func() time.Time
	Ask Asker
	// Patience is how long xcd is waited for after it was started: it recovers what an earlier one left.
	Patience time.Duration
}

// patience is enough for thousands of containers.
const patience = time.Minute

// NewApplier does steps with this host's own tools.
func NewApplier(ask Asker) Applier {
	return Applier{Run: runner.Host{}, Now: time.Now, Ask: ask, Patience: patience}
}

// Do does one step. It may be repeated. After an error of an Edit the file is as it was.
func (a Applier) Do(ctx context.Context, s Step) error {
	switch s := s.(type) {
	case Command:
		_, err := a.Run.Run(ctx, runner.Cmd{Argv: s.Argv})
		return err
	case Edit:
		return a.edit(ctx, s)
	case Answer:
		return a.await(ctx, s)
	}
	return &engine.Error{Op: "set up", Kind: engine.Internal, Err: fmt.Errorf("%T is no step", s)}
}

// await waits for xcd. It asks again at short intervals, because nothing tells when a socket that is not there yet is.
func (a Applier) await(ctx context.Context, s Answer) error {
	ctx, cancel := context.WithTimeout(ctx, a.Patience)
	defer cancel()
	tick := time.NewTicker(a.Patience / 100)
	defer tick.Stop()
	for {
		_, _, err := a.Ask.Native(ctx, s.Path)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return &engine.Error{
				Op: "set up", Kind: engine.Unavailable, Resource: engine.ResourcePath, ID: s.Path,
				Err: fmt.Errorf("xcd does not answer within %v (its log is in syslog): %w", a.Patience, err),
			}
		case <-tick.C:
		}
	}
}

// edit puts the new content in the place of the old in one move. A link is followed: what it leads to is replaced.
func (a Applier) edit(ctx context.Context, e Edit) error {
	path, mode, err := target(e)
	if err != nil {
		return failed(e.Path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return failed(e.Path, err)
	}
	made, err := writeBeside(path, e.New, mode, e.Absent)
	if err != nil {
		return failed(e.Path, err)
	}
	defer os.Remove(made) // it is gone once it has its name
	if e.Check != nil {
		if _, err := a.Run.Run(ctx, runner.Cmd{Argv: append(append([]string{}, e.Check...), made)}); err != nil {
			return failed(e.Path, fmt.Errorf("the change is refused, nothing was written: %w", err))
		}
	}
	if !e.Absent {
		if err := a.keep(path); err != nil {
			return failed(e.Path, err)
		}
	}
	if err := os.Rename(made, path); err != nil {
		return failed(e.Path, err)
	}
	return failed(e.Path, syncDir(filepath.Dir(path)))
}

func failed(path string, err error) error {
	if err == nil {
		return nil
	}
	kind := engine.KindOf(err)
	return &engine.Error{Op: "set up", Kind: kind, Resource: engine.ResourcePath, ID: path, Err: err}
}

// target is the file to replace. One that changed since it was shown is refused.
func target(e Edit) (path string, mode fs.FileMode, err error) {
	path, err = filepath.EvalSymlinks(e.Path)
	if errors.Is(err, fs.ErrNotExist) && e.Absent {
		return e.Path, e.Mode, nil
	}
	if err != nil {
		return "", 0, err
	}
	now, err := os.ReadFile(path)
	if err != nil {
		return "", 0, err
	}
	fi, err := os.Stat(path)
	if err == nil && (e.Absent || string(now) != e.Old) {
		err = &engine.Error{Op: "set up", Kind: engine.Conflict, Err: errors.New("it changed since it was shown: run this again")}
	}
	if err != nil {
		return "", 0, err
	}
	return path, fi.Mode().Perm(), nil
}

// writeBeside writes a file in the directory of another, with that one's owner and mode, and returns its name.
func writeBeside(path, content string, mode fs.FileMode, absent bool) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(content)
	if err == nil && !absent {
		err = likeOwner(f, path)
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func likeOwner(f *os.File, path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() && int(st.Gid) == os.Getegid() {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

// keep leaves the old content beside the file, under a name with the time. It is a hard link: nothing can go wrong half way.
func (a Applier) keep(path string) error {
	backup := Backup(path, a.Now())
	err := os.Link(path, backup)
	if errors.Is(err, fs.ErrExist) {
		return nil // of a run within the same second, which kept what was there before it
	}
	return err
}

// Backup is the name under which the content of a file before a change at a time is kept.
func Backup(path string, at time.Time) string {
	return path + ".before-xc-" + at.UTC().Format("20060102T150405Z")
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

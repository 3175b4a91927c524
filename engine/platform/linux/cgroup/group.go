package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Group is one path in every hierarchy. All methods may be repeated and do nothing, or answer zero, where it does not exist.
type Group struct {
	h    Hierarchies
	path string
}

// Path is the group's path below every mount point.
func (g Group) Path() string { return g.path }

// Dirs are the group's directories, one per hierarchy, whether they exist or not.
func (g Group) Dirs() []string {
	dirs := g.h.points()
	for i := range dirs {
		dirs[i] = filepath.Join(dirs[i], g.path)
	}
	return dirs
}

// dir is the group's directory in the hierarchy that has the controller; ok is false when none has. v2 tells which files
// stand in it.
func (g Group) dir(controller string) (dir string, v2, ok bool) {
	if point, ok := g.h.V1[controller]; ok {
		return filepath.Join(point, g.path), false, true
	}
	if slices.Contains(g.h.V2Controllers, controller) {
		return filepath.Join(g.h.V2, g.path), true, true
	}
	return "", false, false
}

// Exists reports whether the group exists in any hierarchy.
func (g Group) Exists() bool {
	for _, d := range g.Dirs() {
		if _, err := os.Lstat(d); err == nil {
			return true
		}
	}
	return false
}

// Pids lists the processes in the group and the groups below it, in any hierarchy, in the host's numbering, sorted.
func (g Group) Pids() ([]int, error) {
	return pidsIn(g.Dirs())
}

func pidsIn(dirs []string) ([]int, error) {
	var pids []int
	for _, d := range dirs {
		err := filepath.WalkDir(d, func(p string, e fs.DirEntry, err error) error {
			if err != nil || !e.IsDir() {
				return ignoreGone(err)
			}
			b, err := os.ReadFile(filepath.Join(p, "cgroup.procs"))
			pids = appendInts(pids, string(b))
			return ignoreGone(err)
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// appendInts adds the numbers of a file with one per line. 0 is a process of a namespace that this one cannot see.
func appendInts(pids []int, text string) []int {
	for line := range strings.Lines(text) {
		if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && n > 0 {
			pids = append(pids, n)
		}
	}
	return pids
}

// ignoreGone takes the errors of reading a group that was removed meanwhile, and of a threaded one, as nothing there.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	return err
}

// The pauses while a group empties: processes that were killed are gone within microseconds, mostly.
const (
	firstPause = 200 * time.Microsecond
	lastPause  = 20 * time.Millisecond
)

// Kill ends every process in the group and the groups below it, frozen ones too, and returns when none is left or ctx ends.
func (g Group) Kill(ctx context.Context) error {
	return KillDirs(ctx, g.Dirs())
}

// KillDirs is Kill for whoever has nothing but the directories of one group.
func KillDirs(ctx context.Context, dirs []string) error {
	pause := firstPause
	for {
		pids, err := pidsIn(dirs)
		if err != nil || len(pids) == 0 {
			return err
		}
		if slices.Contains(pids, os.Getpid()) {
			return fmt.Errorf("this very process is in %s", dirs[0])
		}
		for _, d := range dirs {
			killDir(d)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill %d: %w", pid, err)
			}
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("processes %v remain in %s: %w", pids, dirs[0], err)
		}
		pause = min(2*pause, lastPause)
	}
}

// killDir asks the kernel to kill a whole version 2 subtree at once (since 5.14), and thaws a version 1 one, whose frozen
// processes would not die. Where a file does not exist there is nothing of the kind to do.
func killDir(dir string) {
	for file, word := range map[string]string{"cgroup.kill": "1", "freezer.state": "THAWED"} {
		if f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0); err == nil {
			f.WriteString(word) //nolint:errcheck // the caller kills each process too and looks again
			f.Close()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Remove kills what is in the group and removes it, with the groups below it, from every hierarchy.
func (g Group) Remove(ctx context.Context) error {
	pause := firstPause
	for {
		if err := g.Kill(ctx); err != nil {
			return err
		}
		busy := false
		for _, d := range g.Dirs() {
			err := removeTree(d)
			if err != nil && !errors.Is(err, syscall.EBUSY) {
				return err
			}
			busy = busy || err != nil
		}
		if !busy {
			return nil
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("remove group %s: %w", g.path, err)
		}
		pause = min(2*pause, lastPause)
	}
}

// removeTree removes a group's directory and those below it. The control files in them are not to be removed and go along.
func removeTree(dir string) error {
	err := os.Remove(dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	entries, readErr := os.ReadDir(dir)
	if readErr != nil {
		return ignoreGone(readErr)
	}
	below := false
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		below = true
		if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if !below {
		return err
	}
	return ignoreGone(os.Remove(dir))
}

// RemoveEmpty removes the group from every hierarchy where nothing is in or below it, and leaves it elsewhere.
func (g Group) RemoveEmpty() {
	for _, d := range g.Dirs() {
		os.Remove(d) //nolint:errcheck // a group in use stays: that is what is asked
	}
}

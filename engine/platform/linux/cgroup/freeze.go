package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// errNoFreezer is the answer to Freeze where no hierarchy can.
var errNoFreezer = errors.New("no freezer is mounted")

// Freeze stops every process in the group and returns when all have stopped. If they do not before ctx ends, they are
// thawed again.
func (g Group) Freeze(ctx context.Context) error {
	if err := g.freezeState(ctx, true); err != nil {
		return errors.Join(err, g.Thaw(context.WithoutCancel(ctx)))
	}
	return nil
}

// Thaw lets the group's processes go on.
func (g Group) Thaw(ctx context.Context) error { return g.freezeState(ctx, false) }

// Frozen reports whether the group is frozen or about to be.
func (g Group) Frozen() (bool, error) {
	f, ok := g.freezer()
	if !ok {
		return false, nil
	}
	word, err := f.read()
	return word != "" && word != f.thawed, ignoreGone(err)
}

// freezer is how one of the two kinds of freezer is told and asked.
type freezer struct {
	dir, file      string
	frozen, thawed string
	// settled reads the state that the processes have really reached.
	settled func(dir string) (string, error)
}

func (g Group) freezer() (freezer, bool) {
	if point, ok := g.h.V1["freezer"]; ok {
		f := freezer{dir: filepath.Join(point, g.path), file: "freezer.state", frozen: "FROZEN", thawed: "THAWED"}
		f.settled = func(dir string) (string, error) { return readWord(dir, f.file) }
		return f, true
	}
	if g.h.V2 == "" {
		return freezer{}, false
	}
	return freezer{dir: filepath.Join(g.h.V2, g.path), file: "cgroup.freeze", frozen: "1", thawed: "0", settled: func(dir string) (string, error) {
		events, err := readPairs(dir, "cgroup.events")
		return fmt.Sprint(events["frozen"]), err
	}}, true
}

func (f freezer) read() (string, error) { return readWord(f.dir, f.file) }

func (f freezer) write(word string) error {
	return os.WriteFile(filepath.Join(f.dir, f.file), []byte(word), 0)
}

func (g Group) freezeState(ctx context.Context, freeze bool) error {
	f, ok := g.freezer()
	if !ok {
		return errNoFreezer
	}
	want := f.thawed
	if freeze {
		want = f.frozen
	}
	pause := firstPause
	for try := 1; ; try++ {
		err := f.write(want)
		if err != nil && !freeze && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if now, err := f.settled(f.dir); err != nil || now == want {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("%s does not become %s: %w", f.dir, want, err)
		}
		pause = min(2*pause, lastPause)
		// A version 1 freezer that met a process just being made stays FREEZING for good. What frees it is to begin anew.
		if freeze && try%triesPerThaw == 0 {
			if err := f.write(f.thawed); err != nil {
				return err
			}
			pause = firstPause
		}
	}
}

// triesPerThaw makes up some 100 ms.
const triesPerThaw = 10

// readWord reads a file of one word.
func readWord(dir, file string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	return strings.TrimSpace(string(b)), err
}

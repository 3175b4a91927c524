package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
)

// judge is a tool that looks at a file and refuses it or not.
type judge struct {
	refuses bool
	seen    string
}

func (j *judge) Run(_ context.Context, c runner.Cmd) (runner.Result, error) {
	b, err := os.ReadFile(c.Argv[len(c.Argv)-1])
	if j.seen = string(b); err == nil && j.refuses {
		err = errors.New("syntax error")
	}
	return runner.Result{}, err
}

var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// only fails unless a directory holds exactly these names.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if strings.Join(have, " ") != strings.Join(names, " ") {
		t.Errorf("%s holds %v, wanted %v", dir, have, names)
	}
}

func TestEdit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pf.conf")
	if err := os.WriteFile(path, []byte("old\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	j := &judge{}
	a := Applier{Run: j, Now: func() time.Time { return noon }}
	e := Edit{Path: path, Old: "old\n", New: "new\n", Check: []string{"pfctl", "-nf"}}
	if err := a.Do(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "new\n" || j.seen != "new\n" {
		t.Errorf("it holds %q, %q was checked", got, j.seen)
	}
	if got := read(t, Backup(path, noon)); got != "old\n" {
		t.Errorf("kept: %q", got)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	only(t, dir, "pf.conf", "pf.conf.before-xc-20240229T120000Z")
	err := a.Do(t.Context(), e)
	if !errors.Is(err, engine.Conflict) || read(t, path) != "new\n" {
		t.Errorf("over a change: %v, %q", err, read(t, path))
	}
}

func TestEditRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pf.conf")
	if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := Applier{Run: &judge{refuses: true}, Now: time.Now}
	err := a.Do(t.Context(), Edit{Path: path, Old: "old\n", New: "new\n", Check: []string{"pfctl", "-nf"}})
	if err == nil || !strings.Contains(err.Error(), "syntax error") || read(t, path) != "old\n" {
		t.Errorf("%v; it holds %q", err, read(t, path))
	}
	only(t, dir, "pf.conf")
}

func TestEditMakes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "etc", "xc.conf")
	a := Applier{Run: &judge{}, Now: time.Now}
	e := Edit{Path: path, New: "{}\n", Absent: true, Mode: 0o600}
	if err := a.Do(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	only(t, filepath.Dir(path), "xc.conf")
	if err := a.Do(t.Context(), e); !errors.Is(err, engine.Conflict) {
		t.Errorf("over one that came meanwhile: %v", err)
	}
}

func TestEditFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(real, []byte("old"), 0o600), os.Symlink("real", link)); err != nil {
		t.Fatal(err)
	}
	a := Applier{Run: &judge{}, Now: func() time.Time { return noon }}
	if err := a.Do(t.Context(), Edit{Path: link, Old: "old", New: "new"}); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Lstat(link); err != nil || fi.Mode().Type() != fs.ModeSymlink || read(t, real) != "new" {
		t.Errorf("%v, %v, %q", fi.Mode(), err, read(t, real))
	}
}

func TestEditGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone")
	err := Applier{Run: &judge{}, Now: time.Now}.Do(t.Context(), Edit{Path: path, Old: "old", New: "new"})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestCommandLines(t *testing.T) {
	got := command("sysrc", "kld_list+=a b", "it's", "").Lines()[0]
	if want := `sysrc 'kld_list+=a b' 'it'\''s' ''`; got != want {
		t.Errorf("%s, wanted %s", got, want)
	}
}

// late is a daemon that answers at the third time.
type late struct{ asked, answers int }

func (l *late) Native(context.Context, string) (string, []string, error) {
	if l.asked++; l.asked < l.answers {
		return "", nil, errors.New("refused")
	}
	return "1.0", nil, nil
}

func (*late) Docker(context.Context, string) (string, error) { return "", errors.New("refused") }

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &late{answers: 3}
		if err := (Applier{Ask: l, Patience: time.Minute}).Do(t.Context(), Answer{Path: "/s"}); err != nil || l.asked != 3 {
			t.Errorf("asked %d times: %v", l.asked, err)
		}
		err := Applier{Ask: &late{answers: 1000}, Patience: time.Minute}.Do(t.Context(), Answer{Path: "/s"})
		if !errors.Is(err, engine.Unavailable) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v", err)
		}
	})
}

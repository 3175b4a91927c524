package zfs

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/layers"
)

// script is a zfs(8) that says what it is told to.
type script struct {
	calls   []string
	answers map[string]answer // by the beginning of the call
}

type answer struct {
	out, stderr string
}

func (s *script) Run(_ context.Context, c runner.Cmd) (runner.Result, error) {
	call := strings.Join(c.Argv[1:], " ")
	s.calls = append(s.calls, call)
	for begin, a := range s.answers {
		if strings.HasPrefix(call, begin) {
			res := runner.Result{Stdout: a.out, Stderr: a.stderr}
			if a.stderr != "" {
				return res, &runner.Error{Argv: c.Argv, Code: 1, Stderr: a.stderr, Err: errors.New("exit status 1")}
			}
			return res, nil
		}
	}
	return runner.Result{}, nil
}

type noMounts struct{}

func (noMounts) Mount(context.Context, string, string, bool) error { return nil }
func (noMounts) Unmount(context.Context, string) error             { return nil }

const (
	chainA = engine.LayerID("sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	chainB = engine.LayerID("sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
	rootC  = engine.ContainerID("cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc")
)

func open(t *testing.T, s *script) *Driver {
	t.Helper()
	d, err := Open(t.Context(), Config{
		Images: "tank/xc/images", Containers: "tank/xc/containers", Dir: t.TempDir(), Owner: "0badcafe", Run: s, Mounter: noMounts{},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.calls = nil
	return d
}

func TestOpen(t *testing.T) {
	missing := answer{stderr: "cannot open 'tank/xc/images/0badcafe': dataset does not exist\n"}
	for _, c := range []struct {
		name    string
		cfg     Config
		answers map[string]answer
		calls   []string
		err     string
	}{
		{"makes its own dataset", Config{Images: "tank/xc"}, map[string]answer{"get": missing}, []string{
			"get -Hp -o value xc:owner tank/xc/0badcafe",
			"create -o mountpoint=legacy -o canmount=noauto -o atime=off -o xc:owner=0badcafe tank/xc/0badcafe",
			"get -Hp -o value xc:owner tank/xc/0badcafe",
			"create -o mountpoint=legacy -o canmount=noauto -o atime=off -o xc:owner=0badcafe tank/xc/0badcafe",
		}, ""},
		{"takes its own up again", Config{Images: "tank/a", Containers: "tank/b"}, map[string]answer{"get": {out: "0badcafe\n"}}, []string{
			"get -Hp -o value xc:owner tank/a/0badcafe", "get -Hp -o value xc:owner tank/b/0badcafe",
		}, ""},
		{"leaves another's alone", Config{Images: "tank/a"}, map[string]answer{"get": {out: "-\n"}}, nil, `tank/a/0badcafe belongs to "-"`},
		{"a configured one is missing", Config{Images: "tank/xc"}, map[string]answer{
			"get": missing, "create": {stderr: "cannot create 'tank/xc/0badcafe': parent does not exist\n"},
		}, nil, "does not exist"},
		{"is not configured", Config{}, nil, nil, "no dataset is configured"},
		{"two pools", Config{Images: "tank/a", Containers: "zroot/a"}, nil, nil, "different pools"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &script{answers: c.answers}
			c.cfg.Dir, c.cfg.Owner, c.cfg.Run, c.cfg.Mounter = t.TempDir(), "0badcafe", s, noMounts{}
			_, err := Open(t.Context(), c.cfg)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || engine.KindOf(err) != engine.Unavailable) {
				t.Errorf("got %v", err)
			}
			if c.calls != nil {
				if diff := cmp.Diff(c.calls, s.calls); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestCommands: a request runs the commands that it must and no other, and none of them lists.
func TestCommands(t *testing.T) {
	s := &script{answers: map[string]answer{
		"get -Hp -o value xc:owner": {out: "0badcafe"}, "get -Hp -o value referenced": {out: "1000\n"}, "get -Hp -o value used": {out: "77\n"},
	}}
	d := open(t, s)
	ctx := t.Context()
	a, b := "tank/xc/images/0badcafe/l-sha256-"+string(chainA[7:]), "tank/xc/images/0badcafe/l-sha256-"+string(chainB[7:])
	root := "tank/xc/containers/0badcafe/r-" + string(rootC)
	for _, c := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"lowest layer", func() error { st, err := d.Stage(ctx, chainA, ""); return errors.Join(err, d.Commit(ctx, st)) }, []string{
			"create -o canmount=noauto " + a, "snapshot " + a + "@0",
		}},
		{"layer upon it", func() error { st, err := d.Stage(ctx, chainB, chainA); return errors.Join(err, d.Commit(ctx, st)) }, []string{
			"clone -o canmount=noauto " + a + "@0 " + b, "snapshot " + b + "@0",
		}},
		{"root", func() error {
			return d.CreateRoot(ctx, layers.RootSpec{ID: rootC, Chain: layers.Chain{chainB, chainA}})
		}, []string{
			"clone -o canmount=noauto " + b + "@0 " + root,
		}},
		{"root with a size", func() error {
			return d.CreateRoot(ctx, layers.RootSpec{ID: rootC, Chain: layers.Chain{chainB}, Size: 24})
		}, []string{
			"get -Hp -o value referenced " + b + "@0", "clone -o refquota=1024 -o canmount=noauto " + b + "@0 " + root,
		}},
		{"usage", func() error {
			n, err := d.RootUsage(ctx, layers.RootSpec{ID: rootC})
			if n != 77 {
				return errors.New("wrong usage")
			}
			return err
		}, []string{"get -Hp -o value used " + root}},
		{"mount", func() error { _, err := d.MountRoot(ctx, layers.RootSpec{ID: rootC}); return err }, nil},
		{"unmount", func() error { return d.UnmountRoot(ctx, rootC) }, nil},
		{"remove root", func() error { return d.RemoveRoot(ctx, rootC) }, []string{"destroy -r " + root}},
		{"remove layer", func() error { return d.RemoveLayer(ctx, chainA) }, []string{"destroy -r " + a}},
	} {
		s.calls = nil
		if err := c.do(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, s.calls); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func TestErrors(t *testing.T) {
	for stderr, want := range map[string]error{
		"cannot open 'tank/x': dataset does not exist":                                          errMissing,
		"cannot open 'nope': no such pool or dataset":                                           errMissing,
		"cannot create 'tank/x': dataset already exists":                                        errTaken,
		"cannot destroy 'tank/x': dataset is busy":                                              errBusy,
		"cannot unmount '/x': pool or dataset is busy":                                          errBusy,
		"cannot destroy 'tank/x': filesystem has dependent clones\nuse '-R' to destroy: tank/y": nil,
	} {
		err := classify(stderr, errors.New("exit status 1"))
		for _, kind := range []error{errMissing, errTaken, errBusy} {
			if errors.Is(err, kind) != (kind == want) {
				t.Errorf("%q: is %v: %v", stderr, kind, errors.Is(err, kind))
			}
		}
	}
}

func TestRecover(t *testing.T) {
	images, containers := "tank/xc/images/0badcafe", "tank/xc/containers/0badcafe"
	a, b := images+"/l-sha256-"+string(chainA[7:]), images+"/l-sha256-"+string(chainB[7:])
	s := &script{answers: map[string]answer{
		"get": {out: "0badcafe"},
		"list -r -H -o name -t filesystem,snapshot " + images:     {out: strings.Join([]string{images, a, a + "@0", b, images + "/mine"}, "\n")},
		"list -r -H -o name -t filesystem,snapshot " + containers: {out: strings.Join([]string{containers, containers + "/r-1234abcd"}, "\n")},
	}}
	d := open(t, s)
	lost, err := d.Recover(t.Context(), []engine.LayerID{chainA, chainB}, []engine.ContainerID{rootC})
	if err != nil {
		t.Fatal(err)
	}
	want := layers.Lost{Layers: []engine.LayerID{chainB}, Roots: []engine.ContainerID{rootC}}
	if diff := cmp.Diff(want, lost); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"destroy -r " + containers + "/r-1234abcd"}, s.calls[2:]); diff != "" {
		t.Error(diff)
	}
}

// busyAtFirst is a zfs(8) and a mounter to which everything is busy the first time.
type busyAtFirst struct {
	script
	mounts int
}

func (b *busyAtFirst) Run(ctx context.Context, c runner.Cmd) (runner.Result, error) {
	if c.Argv[1] == "destroy" && !slices.Contains(b.calls, strings.Join(c.Argv[1:], " ")) {
		b.calls = append(b.calls, strings.Join(c.Argv[1:], " "))
		res := runner.Result{Stderr: "cannot destroy: dataset is busy"}
		return res, &runner.Error{Argv: c.Argv, Code: 1, Stderr: res.Stderr, Err: errors.New("exit status 1")}
	}
	return b.script.Run(ctx, c)
}

func (b *busyAtFirst) Mount(context.Context, string, string, bool) error {
	if b.mounts++; b.mounts == 1 {
		return &os.PathError{Op: "mount", Path: "x", Err: unix.EBUSY}
	}
	return nil
}

func (*busyAtFirst) Unmount(context.Context, string) error { return nil }

// What is busy is tried again: the kernel holds a dataset for a moment after it was unmounted.
func TestBusyIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &busyAtFirst{script: script{answers: map[string]answer{"get": {out: "0badcafe\n"}}}}
		d, err := Open(t.Context(), Config{Images: "tank/a", Containers: "tank/b", Dir: t.TempDir(), Owner: "0badcafe", Run: b, Mounter: b})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.MountRoot(t.Context(), layers.RootSpec{ID: rootC}); err != nil {
			t.Errorf("mount: %v", err)
		}
		if err := d.RemoveRoot(t.Context(), rootC); err != nil {
			t.Errorf("remove: %v", err)
		}
		if err := d.Cleanup(t.Context()); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
}

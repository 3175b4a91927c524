package zfs

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine/internal/runner"
)

// tool runs zfs(8).
type tool struct {
	run runner.Runner
	bin string
	// device does without the command, which takes longer to start than the work it does; nil where there is none. What it
	// cannot do the command is asked for, whose words tell why.
	device *device
}

// What a failed command said; the text is libzfs' own and is not translated with LC_ALL=C.
var (
	errMissing = errors.New("dataset does not exist")
	errTaken   = errors.New("dataset already exists")
	errBusy    = errors.New("dataset is busy")
)

func (t tool) zfs(ctx context.Context, args ...string) (string, error) {
	res, err := t.run.Run(ctx, runner.Cmd{Argv: append([]string{t.bin}, args...), Env: environment()})
	if err != nil {
		return "", classify(res.Stderr, err)
	}
	return res.Stdout, nil
}

func environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "LC_") || strings.HasPrefix(kv, "LANG=") })
	return append(env, "LC_ALL=C")
}

func classify(stderr string, err error) error {
	for _, c := range []struct {
		text string
		is   error
	}{
		{"does not exist", errMissing},
		{"no such pool or dataset", errMissing},
		{"already exists", errTaken},
		{"is busy", errBusy},
		{"pool or dataset is busy", errBusy},
		{"Device busy", errBusy},
	} {
		if strings.Contains(stderr, c.text) {
			return &failure{is: c.is, err: err}
		}
	}
	return err
}

// failure is a command's error with its kind.
type failure struct{ is, err error }

// Error is what the tool said.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap returns the kind and the command's own error.
func (f *failure) Unwrap() []error { return []error{f.is, f.err} }

// create makes an empty dataset.
func (t tool) create(ctx context.Context, dataset string, props ...string) error {
	_, err := t.zfs(ctx, append(append([]string{"create"}, options(props)...), dataset)...)
	return err
}

func (t tool) snapshot(ctx context.Context, snapshot string) error {
	_, err := t.zfs(ctx, "snapshot", snapshot)
	return err
}

func (t tool) clone(ctx context.Context, snapshot, dataset string, props ...string) error {
	if t.device != nil && t.device.clone(snapshot, dataset, props) {
		return nil
	}
	_, err := t.zfs(ctx, append(append([]string{"clone"}, options(props)...), snapshot, dataset)...)
	return err
}

func options(props []string) []string {
	var args []string
	for _, p := range props {
		args = append(args, "-o", p)
	}
	return args
}

// destroy destroys a dataset with its snapshots, if it exists. It must not be mounted.
func (t tool) destroy(ctx context.Context, dataset string) error {
	if t.device != nil && t.device.destroy(dataset) {
		return nil
	}
	_, err := t.zfs(ctx, "destroy", "-r", dataset)
	if errors.Is(err, errMissing) {
		return nil
	}
	return err
}

// get reads one property, in bytes where it is a size. "-" is one that is not set.
func (t tool) get(ctx context.Context, dataset, property string) (string, error) {
	out, err := t.zfs(ctx, "get", "-Hp", "-o", "value", property, dataset)
	return strings.TrimSpace(out), err
}

// list names a dataset and everything below it, snapshots included.
func (t tool) list(ctx context.Context, dataset string) ([]string, error) {
	out, err := t.zfs(ctx, "list", "-r", "-H", "-o", "name", "-t", "filesystem,snapshot", dataset)
	return strings.Fields(out), err
}

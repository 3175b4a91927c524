package jailer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/internal/fstree"
	"github.com/xcengine/xc/engine/platform/freebsd/jail/launch"
)

// Launch implements lifecycle.Runtime: it copies the engine's files into the root. They are copies and not mounts, because
// programs replace them by renaming.
func (r *Runtime) Launch(_ context.Context, spec engine.SandboxSpec, box engine.Sandbox) (engine.Launch, error) {
	for _, name := range slices.Sorted(maps.Keys(spec.Files)) {
		if err := install(spec.Root, name, spec.Files[name]); err != nil {
			return engine.Launch{}, failed("start", spec.ID, fmt.Errorf("write %s: %w", name, err))
		}
	}
	w, err := r.wish(spec)
	if err != nil {
		return engine.Launch{}, failed("start", spec.ID, err)
	}
	p := process(spec, w, box.JID, spec.Spec.Process, spec.Args, nil)
	p.MakeCwd, p.Sysctls = true, settings(spec.Spec.Security.Sysctls)
	chain(&p, spec, w)
	l, err := encode(p, spec.Spec.Process)
	l.Stdin, l.StdinOnce = spec.Spec.OpenStdin, spec.Spec.StdinOnce
	return l, failed("start", spec.ID, err)
}

// LaunchExec implements lifecycle.Runtime. A user, groups or a working directory that the exec does not name are the
// container's.
func (r *Runtime) LaunchExec(_ context.Context, spec engine.SandboxSpec, box engine.Sandbox, id engine.ExecID, exec engine.ExecSpec) (engine.Launch, error) {
	p := exec.Process
	if p.User == "" {
		p.User = spec.Spec.Process.User
	}
	if len(p.Groups) == 0 {
		p.Groups = spec.Spec.Process.Groups
	}
	if p.WorkDir == "" {
		p.WorkDir = spec.Spec.Process.WorkDir
	}
	var l engine.Launch
	w, err := r.wish(spec)
	if err = errors.Join(err, known(spec.Root, p)); err == nil {
		l, err = encode(process(spec, w, box.JID, p, p.Args(), p.Env), p)
	}
	if err != nil {
		return l, &engine.Error{Op: "exec", Kind: engine.KindOf(err), Resource: engine.ResourceExec, ID: string(id), Err: err}
	}
	l.Stdin, l.StdinOnce = exec.AttachStdin, true
	return l, nil
}

// wish is what the sandbox of a container was made with.
func (r *Runtime) wish(spec engine.SandboxSpec) (wish, error) {
	w, errs := readWish(spec.Spec)
	if len(w.Tunnels) > 0 {
		rec, err := r.places.readRecord(spec.ID)
		w.made, errs = rec.Tunnels, append(errs, err)
	}
	return w, errors.Join(errs...)
}

// known refuses a user or group that a root does not know. The second stage looks again, in the jail; this is for whoever is
// told before there is a process.
func known(root string, p engine.ProcessSpec) error {
	files, err := accounts.Read(func(name string) (*os.File, error) { return fstree.OpenFile(root, name) })
	if err != nil {
		return err
	}
	_, err = files.Identify(p.User, p.Groups)
	return err
}

func encode(payload launch.Payload, p engine.ProcessSpec) (engine.Launch, error) {
	b, err := payload.Encode()
	return engine.Launch{Platform: launch.Platform, Payload: b, TTY: p.TTY, Size: p.ConsoleSize}, err
}

// maxCopy bounds what is read of a file that the container may have made as large as it likes.
const maxCopy = 1 << 20

// ReadCopy reads a file of a root as the container has it now. A link at its end is followed, inside.
func (r *Runtime) ReadCopy(root, name string) ([]byte, error) {
	f, err := fstree.OpenFile(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxCopy))
}

// CopyFile brings a changed file of the engine's into the root of a container that runs.
func (r *Runtime) CopyFile(root, name, source string) error { return install(root, name, source) }

// install puts a copy of a host file at a path of the root; a link at its end is followed, inside. Others see the old file
// or the new one.
func install(root, name, source string) error {
	f, err := os.Open(source)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the network gives none
	}
	if err != nil {
		return err
	}
	defer f.Close()
	at, err := need(root, name, false)
	if errors.Is(err, unix.EROFS) {
		return nil // it lies in a read-only mount of the user's
	}
	if err != nil {
		return err
	}
	t, err := fstree.Open(root)
	if err != nil {
		return err
	}
	defer t.Close()
	p, err := t.Find(at, true)
	if err != nil {
		return err
	}
	defer p.Close()
	temporary := "." + path.Base(at) + ".xc"
	if err := p.Dir.RemoveAll(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.Dir.Make(temporary, fstree.Node{Mode: 0o644, ModTime: time.Now()}, f); err != nil {
		if errors.Is(err, unix.EROFS) {
			return nil
		}
		return err
	}
	return p.Dir.Rename(p.Dir, temporary, p.Name)
}

package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fstree"
)

// mounts are those of one RUN step.
type mounts struct {
	specs []engine.MountSpec
	env   []string
	keys  []string // what of them the step's result depends on

	agents int // ssh agents at places of their own

	undo []func(context.Context) error
}

// close gives back what only this step had.
func (m *mounts) close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for i := len(m.undo) - 1; i >= 0; i-- {
		errs = append(errs, m.undo[i](ctx))
	}
	m.undo = nil
	return errors.Join(errs...)
}

// openMounts makes what a step mounts.
func (st *stage) openMounts(ctx context.Context, wanted []*instructions.Mount) (*mounts, error) {
	m := &mounts{}
	for _, w := range wanted {
		if err := st.openMount(ctx, m, w); err != nil {
			return nil, errors.Join(err, m.close(ctx))
		}
	}
	return m, nil
}

func (st *stage) openMount(ctx context.Context, m *mounts, w *instructions.Mount) error {
	target := w.Target
	if target != "" && !path.IsAbs(target) {
		target = path.Join("/", st.config.Process.WorkDir, target)
	}
	switch w.Type {
	case instructions.MountTypeTmpfs:
		m.specs = append(m.specs, engine.MountSpec{Kind: engine.MountTmpfs, Origin: engine.OriginMounts, Target: path.Clean(target), TmpfsSize: w.SizeLimit})
		m.keys = append(m.keys, fmt.Sprintf("tmpfs %s %d", target, w.SizeLimit))
		return nil
	case instructions.MountTypeCache:
		return st.cacheMount(ctx, m, w, target)
	case instructions.MountTypeBind:
		return st.bindMount(ctx, m, w, target)
	case instructions.MountTypeSecret:
		return st.secretMount(m, w, target)
	case instructions.MountTypeSSH:
		return st.sshMount(m, w, target)
	}
	return invalidf("unsupported mount type %q", w.Type)
}

func (m *mounts) bind(source, target string, readOnly bool) {
	m.specs = append(m.specs, engine.MountSpec{Kind: engine.MountBind, Origin: engine.OriginMounts, Source: source, Target: path.Clean(target), ReadOnly: readOnly})
}

// bindMount shows files of the context, a stage or an image. What is written to it is lost with the step.
func (st *stage) bindMount(ctx context.Context, m *mounts, w *instructions.Mount, target string) error {
	src, err := st.source(ctx, w.From)
	if err != nil {
		return err
	}
	sum, err := src.digest(ctx, cmp.Or(w.Source, "/"))
	if err != nil {
		return err
	}
	m.keys = append(m.keys, fmt.Sprintf("bind %s %t %s", target, w.ReadOnly, sum))
	host, err := src.hostPath(cmp.Or(w.Source, "/"))
	if err != nil {
		return err
	}
	if !w.ReadOnly {
		if host, err = st.b.scratchCopy(ctx, m, host); err != nil {
			return err
		}
	}
	m.bind(host, target, w.ReadOnly)
	return nil
}

// scratchCopy copies a file or directory, to be written to and thrown away.
func (b *build) scratchCopy(ctx context.Context, m *mounts, host string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "rw-")
	if err != nil {
		return "", err
	}
	m.undo = append(m.undo, func(context.Context) error { return os.RemoveAll(dir) })
	from, err := fstree.OpenDir(filepath.Dir(host))
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := fstree.OpenDir(dir)
	if err != nil {
		return "", err
	}
	defer to.Close()
	name := filepath.Base(host)
	w := &writer{to: to, owner: keepOwner}
	return filepath.Join(dir, name), w.one(ctx, to, from, name, name)
}

// secretMount shows a secret as a file or a variable. Neither its content nor that it was there is part of the step's key.
func (st *stage) secretMount(m *mounts, w *instructions.Mount, target string) error {
	id := w.CacheID
	if id == "" {
		if w.Target == "" {
			return invalidf("one of source, target required")
		}
		id = path.Base(w.Target)
	}
	content, ok := st.b.req.Secrets[id]
	if !ok {
		if w.Required {
			return invalidf("secret %s: not found", id)
		}
		return nil
	}
	if w.Env != nil {
		m.env = append(m.env, cmp.Or(*w.Env, id)+"="+string(content))
		if w.Target == "" {
			return nil
		}
	}
	if target == "" {
		target = "/run/secrets/" + path.Base(id)
	}
	return st.b.privateFile(m, target, content, fileMode(w.Mode, 0o400), number(w.UID), number(w.GID))
}

// privateFile mounts a file that exists for this step alone.
func (b *build) privateFile(m *mounts, target string, content []byte, mode os.FileMode, uid, gid int) error {
	dir, err := os.MkdirTemp(b.dir, "file-")
	if err != nil {
		return err
	}
	m.undo = append(m.undo, func(context.Context) error { return os.RemoveAll(dir) })
	file := filepath.Join(dir, "content")
	if err := errors.Join(os.WriteFile(file, content, 0o600), os.Chown(file, uid, gid), os.Chmod(file, mode)); err != nil {
		return err
	}
	m.bind(file, target, true)
	return nil
}

// addScript shows a heredoc as a program.
func (m *mounts) addScript(dir, target, data string) error {
	m.keys = append(m.keys, "script "+data)
	b := &build{dir: dir}
	return b.privateFile(m, target, []byte(data), 0o755, 0, 0)
}

// sshMount shows the socket of an agent and names it to the command.
func (st *stage) sshMount(m *mounts, w *instructions.Mount, target string) error {
	id := cmp.Or(w.CacheID, "default")
	socket, ok := st.b.req.SSH[id]
	if !ok {
		if w.Required {
			return invalidf("unset ssh forward key %s", id)
		}
		return nil
	}
	if info, err := os.Stat(socket); err != nil {
		return invalidf("ssh agent %s: %w", id, err)
	} else if info.Mode().Type() != os.ModeSocket {
		return invalidf("ssh agent %s: %s is no socket", id, socket)
	}
	if target == "" {
		target = fmt.Sprintf("/run/buildkit/ssh_agent.%d", m.agents)
		m.agents++
	}
	m.bind(socket, target, false)
	m.env = append(m.env, "SSH_AUTH_SOCK="+target)
	return nil
}

func fileMode(mode *uint64, otherwise os.FileMode) os.FileMode {
	if mode == nil {
		return otherwise
	}
	return os.FileMode(*mode & 0o777)
}

func number(n *uint64) int {
	if n == nil {
		return 0
	}
	return int(*n)
}

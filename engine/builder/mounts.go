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

// mounts are those of one RUN step. What they are is known before the step is looked for in the cache; what the host must have
// for them is made when it is not there.
type mounts struct {
	specs   []engine.MountSpec
	env     []string // under the image's own
	secrets []string // variables too, over all others
	keys    []string // what of them the step's result depends on

	agents int // ssh agents at places of their own

	caches []cacheWish
	todo   []func(context.Context) error
	undo   []func(context.Context) error
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

// mounts reads what a step mounts. It waits for the stages that are named; whoever opens the mounts then waits for none.
func (st *stage) mounts(ctx context.Context, wanted []*instructions.Mount) (*mounts, error) {
	m := &mounts{}
	for _, w := range wanted {
		if err := st.mount(ctx, m, w); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// openMounts makes what the mounts need. The caller closes them, also after an error.
func (st *stage) openMounts(ctx context.Context, m *mounts) error {
	if err := st.openCaches(ctx, m); err != nil {
		return err
	}
	for _, do := range m.todo {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) mount(ctx context.Context, m *mounts, w *instructions.Mount) error {
	target := w.Target
	named := w.Type == instructions.MountTypeSecret || w.Type == instructions.MountTypeSSH // these have targets of their own
	if !path.IsAbs(target) && !(named && target == "") {
		target = path.Join("/", st.config.Process.WorkDir, target)
	}
	if target != "" && path.Clean(target) == "/" {
		return invalidf("invalid mount target %q", "/")
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

// bind adds a mount and returns its number. The source may be told later.
func (m *mounts) bind(source, target string, readOnly bool) int {
	m.specs = append(m.specs, engine.MountSpec{Kind: engine.MountBind, Origin: engine.OriginMounts, Source: source, Target: path.Clean(target), ReadOnly: readOnly})
	return len(m.specs) - 1
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
	spec := m.bind(host, target, w.ReadOnly)
	if !w.ReadOnly {
		m.todo = append(m.todo, func(ctx context.Context) (err error) {
			m.specs[spec].Source, err = st.b.scratchCopy(ctx, m, host)
			return err
		})
	}
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
		m.secrets = append(m.secrets, cmp.Or(*w.Env, id)+"="+string(content))
		if w.Target == "" {
			return nil
		}
	}
	if target == "" {
		target = "/run/secrets/" + path.Base(id)
	}
	m.privateFile(st.b.dir, target, content, fileMode(w.Mode, 0o400), number(w.UID), number(w.GID))
	return nil
}

// privateFile mounts a file that exists for this step alone, below dir.
func (m *mounts) privateFile(dir, target string, content []byte, mode os.FileMode, uid, gid int) {
	spec := m.bind("", target, true)
	m.todo = append(m.todo, func(context.Context) error {
		own, err := os.MkdirTemp(dir, "file-")
		if err != nil {
			return err
		}
		m.undo = append(m.undo, func(context.Context) error { return os.RemoveAll(own) })
		file := filepath.Join(own, "content")
		m.specs[spec].Source = file
		return errors.Join(os.WriteFile(file, content, 0o600), os.Chown(file, uid, gid), os.Chmod(file, mode))
	})
}

// addScript shows a heredoc as a program.
func (m *mounts) addScript(dir, target, data string) {
	m.keys = append(m.keys, "script "+data)
	m.privateFile(dir, target, []byte(data), 0o755, 0, 0)
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
	if len(m.env) == 0 { // of several agents the first is the one
		m.env = []string{"SSH_AUTH_SOCK=" + target}
	}
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

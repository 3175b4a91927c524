package jailer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fstree"
	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/internal/undo"
	"github.com/xcengine/xc/engine/platform/freebsd/devfs"
	"github.com/xcengine/xc/engine/platform/freebsd/iov"
	"github.com/xcengine/xc/engine/platform/freebsd/jail"
	"github.com/xcengine/xc/engine/platform/freebsd/mount"
	"github.com/xcengine/xc/engine/platform/freebsd/rctl"
)

const (
	// removeTimeout bounds the removal of a sandbox.
	removeTimeout = 20 * time.Second
	// dyingTimeout is how long is waited for the last that holds a removed jail. Connections in TIME_WAIT may for a minute.
	dyingTimeout = 300 * time.Millisecond
	// zfsTimeout bounds a look at a dataset: a pool that has lost its disks answers never.
	zfsTimeout = 10 * time.Second
)

// CreateSandbox implements lifecycle.Runtime.
func (r *Runtime) CreateSandbox(ctx context.Context, spec engine.SandboxSpec) (engine.Sandbox, error) {
	if box, err := r.FindSandbox(ctx, spec.ID, spec.Dir); err == nil {
		return box, nil
	}
	root, err := filepath.EvalSymlinks(spec.Root)
	if err != nil {
		return engine.Sandbox{}, failed("start", spec.ID, err)
	}
	spec.Root = root
	var undone undo.Stack
	undone.Push("sandbox", func(ctx context.Context) error { return r.RemoveSandbox(ctx, spec.ID, spec.Dir) })
	box, err := r.makeSandbox(ctx, spec)
	if err != nil {
		return engine.Sandbox{}, failed("start", spec.ID, errors.Join(err, undone.Run(ctx)))
	}
	return box, nil
}

// makeSandbox leaves what it made when it fails; all of it can be removed by the record.
func (r *Runtime) makeSandbox(ctx context.Context, spec engine.SandboxSpec) (engine.Sandbox, error) {
	var none engine.Sandbox
	w, errs := readWish(spec.Spec)
	if len(errs) > 0 {
		return none, &engine.Error{Op: "start", Kind: engine.Invalid, Err: errors.Join(errs...)}
	}
	if spec.NetworkOf.ID != "" {
		peer, err := jail.FindJID(spec.NetworkOf.Sandbox.JID)
		if err != nil {
			return none, err
		}
		spec.NetworkOf.Sandbox.Jail = shared(peer.Name, spec.IpcOf.ID != "")
	}
	c, err := configOf(spec, w, r.host(), release(spec))
	if err != nil {
		return none, &engine.Error{Op: "start", Kind: engine.Invalid, Err: err}
	}
	if spec.Spec.ReadonlyRoot {
		c.Root = r.places.readOnlyRoot(spec.ID)
	}
	params, err := jail.Params(c)
	if err != nil {
		return none, &engine.Error{Op: "start", Kind: engine.Invalid, Err: err}
	}
	rec := record{Jail: c.Name, Root: c.Root, Mounts: mayMount(c), Tunnelled: len(w.Tunnels) > 0}
	for _, d := range w.Datasets {
		if err := r.lent(d.Name, spec.ID); err != nil {
			return none, err
		}
		rec.Datasets = append(rec.Datasets, d.Name)
	}
	if err := r.begin(spec, &rec); err != nil {
		return none, err
	}
	if err := r.makeTunnels(ctx, spec.ID, &w, &rec); err != nil {
		return none, err
	}
	if err := r.mount(ctx, spec, w, c.Root); err != nil {
		return none, err
	}
	if r.racct {
		if err := rctl.Set(c.Name, rctl.Rules(c.Name, spec.Spec.Resources)); err != nil {
			return none, err
		}
	}
	jid, err := r.create(spec, c, params)
	if err != nil {
		return none, err
	}
	if err := r.delegate(ctx, jid, rec.Datasets); err != nil {
		return none, err
	}
	if c.VNET {
		for _, t := range rec.Tunnels {
			if _, err := r.ifconfig(ctx, t.Name, "vnet", strconv.Itoa(jid)); err != nil {
				return none, err
			}
		}
	}
	set, err := processors(spec.Spec.Resources.CPUSetCPUs, r.about.NCPU)
	if err != nil {
		return none, err
	}
	return engine.Sandbox{Jail: c.Name, JID: jid, VNET: c.VNET}, pin(jid, set)
}

// begin writes what RemoveSandbox must know.
func (r *Runtime) begin(spec engine.SandboxSpec, rec *record) error {
	if err := os.MkdirAll(r.places.sandbox(spec.ID), 0o711); err != nil {
		return err
	}
	if r.racct && spec.Spec.Resources.Memory > 0 {
		var err error
		if rec.OOM, err = oomMessages(rec.Jail); err != nil {
			return err
		}
	}
	return r.places.writeRecord(spec.ID, *rec)
}

// create makes the jail; below another one, that may for the moment have one child more.
func (r *Runtime) create(spec engine.SandboxSpec, c jail.Config, params iov.List) (int, error) {
	if spec.NetworkOf.ID == "" {
		return jail.Create(c.Name, params)
	}
	r.nesting.Lock()
	defer r.nesting.Unlock()
	parent := spec.NetworkOf.Sandbox.Jail
	info, err := jail.Find(parent)
	if err != nil {
		return 0, err
	}
	if err := jail.Update(parent, iov.List{}.Int("children.max", int32(info.ChildrenMax+spareChildren))); err != nil {
		return 0, err
	}
	jid, err := jail.Create(c.Name, params)
	return jid, errors.Join(err, jail.Update(parent, iov.List{}.Int("children.max", int32(info.ChildrenMax))))
}

// spareChildren is more than the containers that share one's network.
const spareChildren = 10_000

// release is that of a FreeBSD image's userland, empty when it does not say.
func release(spec engine.SandboxSpec) string {
	if spec.Platform.OS == "linux" {
		return ""
	}
	b, err := readInside(spec.Root, "/bin/freebsd-version", maxScript)
	if err != nil {
		return ""
	}
	return userland(string(b))
}

// mount makes everything that is mounted in the root.
func (r *Runtime) mount(ctx context.Context, spec engine.SandboxSpec, w wish, root string) error {
	rules, err := rulesOf(spec.Spec, w)
	if err != nil {
		return err
	}
	set, err := r.rules.Ruleset(ctx, rules)
	if err != nil {
		return err
	}
	spec.Mounts, _ = apart(spec.Mounts)
	plan, err := planOf(spec, set)
	if err != nil {
		return err
	}
	journal := r.places.sandbox(spec.ID)
	if root != spec.Root {
		if err := os.MkdirAll(root, 0o755); err != nil {
			return err
		}
		if err := mount.Mount(journal, root, mount.Wanted{FS: "nullfs", Source: spec.Root, ReadOnly: true}); err != nil {
			return err
		}
	}
	for _, m := range plan {
		target, err := makeTarget(spec.Root, root, m)
		if err != nil {
			return fmt.Errorf("mount at %s: %w", m.Target, err)
		}
		if err := mount.Mount(journal, target, m); err != nil {
			return err
		}
		if err := mount.Verify(target); err != nil {
			return err
		}
		if err := mount.VerifySubpath(target, m); err != nil {
			return err
		}
	}
	return nil
}

// makeTarget makes what a mount stands on, in the root or in what is mounted there already, and returns its host path. Where
// the root is seen read-only it is made in the writable one, unless it lies in another mount.
func makeTarget(writable, root string, m mount.Wanted) (string, error) {
	isDir := true
	if m.FS == "nullfs" {
		info, err := statSource(m)
		if m.Subpath == "" && errors.Is(err, fs.ErrNotExist) {
			return "", &engine.Error{Op: "mount", Kind: engine.Invalid, Resource: engine.ResourcePath, ID: m.Source, Reason: engine.ReasonNoSource, Args: []string{m.Source}}
		}
		if err != nil {
			return "", err
		}
		if isDir = info.IsDir(); !isDir && !info.Mode().IsRegular() {
			return "", &engine.Error{
				Op: "mount", Kind: engine.NotImplemented, Resource: engine.ResourcePath, ID: m.Source, Reason: engine.ReasonUnsupported,
				Args: []string{"a mount of " + m.Source, "nullfs(5) takes directories and plain files alone"},
			}
		}
	}
	at, err := need(root, m.Target, isDir)
	if errors.Is(err, unix.EROFS) && writable != root {
		if _, err = need(writable, m.Target, isDir); err == nil {
			at, err = need(root, m.Target, isDir)
		}
	}
	if err != nil {
		return "", err
	}
	return root + at, nil
}

// statSource looks at what is to be mounted; of a subpath, from within its volume.
func statSource(m mount.Wanted) (fs.FileInfo, error) {
	if m.Subpath == "" {
		return os.Stat(m.Source)
	}
	return mount.StatSubpath(m)
}

// need finds a path in a root, without following a link out of it, and makes what is missing.
func need(root, name string, isDir bool) (string, error) {
	t, err := fstree.Open(root)
	if err != nil {
		return "", err
	}
	defer t.Close()
	find := t.MakeFile
	if isDir {
		find = t.MakeAll
	}
	p, err := find(name)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if p.Path == "/" {
		return "", nil
	}
	return p.Path, nil
}

// lent refuses a dataset that another sandbox has.
func (r *Runtime) lent(name string, to engine.ContainerID) error {
	ids, err := r.places.list()
	if err != nil {
		return err
	}
	for _, id := range ids {
		rec, err := r.places.readRecord(id)
		if err != nil || id == to {
			continue // nothing was made of it yet
		}
		for _, other := range rec.Datasets {
			if overlap(name, other) {
				return &engine.Error{Op: "start", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: string(to), Err: fmt.Errorf("dataset %s is container %s's (%s)", name, id.Short(), other)}
			}
		}
	}
	return nil
}

// properties are some of a dataset's, nil when there is no such dataset.
func (r *Runtime) properties(name string, props []string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), zfsTimeout)
	defer cancel()
	res, err := r.cfg.Run.Run(ctx, runner.Cmd{Argv: []string{"/sbin/zfs", "get", "-Hp", "-o", "property,value", strings.Join(props, ","), name}})
	var exit *runner.Error
	if errors.As(err, &exit) && strings.Contains(exit.Stderr, "does not exist") {
		return nil, nil
	}
	return parseProperties(res.Stdout), err
}

// delegate gives datasets to a jail.
func (r *Runtime) delegate(ctx context.Context, jid int, datasets []string) error {
	for _, name := range datasets {
		for _, args := range [][]string{{"set", "jailed=on", name}, {"jail", fmt.Sprint(jid), name}} {
			if _, err := r.cfg.Run.Run(ctx, runner.Cmd{Argv: append([]string{"/sbin/zfs"}, args...)}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Runtime) ifconfig(ctx context.Context, args ...string) (string, error) {
	res, err := r.cfg.Run.Run(ctx, runner.Cmd{Argv: append([]string{"/sbin/ifconfig"}, args...)})
	return res.Stdout, err
}

// makeTunnels makes the interfaces that are wanted, shows their devices and notes them. Until that they are found by their group.
func (r *Runtime) makeTunnels(ctx context.Context, id engine.ContainerID, w *wish, rec *record) error {
	for _, t := range w.Tunnels {
		kind := "tap"
		if t.Tun {
			kind = "tun"
		}
		out, err := r.ifconfig(ctx, kind, "create", "group", tunnelGroup(id))
		if err != nil {
			return err
		}
		name := strings.TrimSpace(out)
		if !validTunnel(name, t) {
			return fmt.Errorf("ifconfig %s create: answered %q", kind, name)
		}
		rec.Tunnels = append(rec.Tunnels, made{t.Env, name})
		w.rules = append(w.rules, devfs.Rule{Path: name})
	}
	if w.made = rec.Tunnels; len(w.made) == 0 {
		return nil
	}
	return r.places.writeRecord(id, *rec)
}

// takeTunnels takes the interfaces back from a jail, which may be gone: they come back by themselves then, at some time.
func (r *Runtime) takeTunnels(ctx context.Context, rec record) {
	for _, t := range rec.Tunnels {
		if _, err := r.ifconfig(ctx, t.Name, "-vnet", rec.Jail); err != nil {
			r.log.DebugContext(ctx, "interface not taken back", "interface", t.Name, "error", err)
		}
	}
}

// dropTunnels destroys the interfaces, and those that were made and not noted.
func (r *Runtime) dropTunnels(ctx context.Context, id engine.ContainerID, rec record) error {
	if !rec.Tunnelled && len(rec.Tunnels) == 0 {
		return nil // spares the program that would look
	}
	var errs []error
	names := map[string]bool{}
	for _, t := range rec.Tunnels {
		names[t.Name] = true
	}
	out, err := r.ifconfig(ctx, "-g", tunnelGroup(id))
	errs = append(errs, err)
	for _, name := range strings.Fields(out) {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		_, err := r.ifconfig(ctx, name, "destroy")
		var exit *runner.Error
		if errors.As(err, &exit) && strings.Contains(exit.Stderr, "does not exist") {
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// RemoveSandbox implements lifecycle.Runtime. After an error the record stays, so that Sandboxes still tells of it.
func (r *Runtime) RemoveSandbox(ctx context.Context, id engine.ContainerID, _ string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	rec, err := r.places.readRecord(id)
	if errors.Is(err, fs.ErrNotExist) {
		return failed("remove sandbox of", id, os.RemoveAll(r.places.sandbox(id)))
	}
	if err != nil {
		return failed("remove sandbox of", id, err)
	}
	r.takeTunnels(ctx, rec)
	err = errors.Join(r.endJail(ctx, rec), r.dropTunnels(ctx, id, rec), rctl.Clear(rec.Jail), mount.UnmountAll(r.places.sandbox(id)))
	if err == nil && rec.Mounts {
		err = mount.Sweep(rec.Root)
	}
	if err == nil {
		r.meters.drop(id)
		err = removeEmptied(r.places, id)
	}
	return failed("remove sandbox of", id, err)
}

// removeEmptied removes the sandbox's directory. The place of a read-only root is removed as a directory that must be empty:
// were it still mounted, its content would be the container's.
func removeEmptied(p places, id engine.ContainerID) error {
	if err := unix.Rmdir(p.readOnlyRoot(id)); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %s: %w", p.readOnlyRoot(id), err)
	}
	return os.RemoveAll(p.sandbox(id))
}

// readInside reads the first limit bytes of a regular file of a root, without following a link out of it.
func readInside(root, name string, limit int64) ([]byte, error) {
	f, err := fstree.OpenFile(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// maxScript is how much is looked at of freebsd-version, in bytes; what it is asked for stands near its beginning.
const maxScript = 16 << 10

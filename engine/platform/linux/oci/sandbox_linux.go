package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
)

const (
	// freezeTimeout bounds how long processes may take to stop: one that the kernel cannot interrupt does not.
	freezeTimeout = 10 * time.Second
	// removeTimeout bounds the killing of what is left in a sandbox.
	removeTimeout = 20 * time.Second
)

// CreateSandbox implements lifecycle.Runtime. Sandbox.NetNS is the peer's when the network is another container's.
func (r *Runtime) CreateSandbox(ctx context.Context, spec engine.SandboxSpec) (engine.Sandbox, error) {
	var undone undo.Stack
	box, err := r.makeSandbox(spec, &undone)
	if err != nil {
		return engine.Sandbox{}, failed("start", spec.ID, errors.Join(err, undone.Run(ctx)))
	}
	undone.Drop()
	return box, nil
}

func markRoot(dir string) error {
	root, err := openRoot(dir)
	if err != nil {
		return err
	}
	defer root.close()
	return root.mark()
}

// makeSandbox pushes each step's undoing before it is done, as a step can fail half-way.
func (r *Runtime) makeSandbox(spec engine.SandboxSpec, undone *undo.Stack) (engine.Sandbox, error) {
	var box engine.Sandbox
	p, err := r.choose(spec.Spec.Runtime)
	if err != nil {
		return box, err
	}
	rec := record{Group: groupPath(r.host.groupParent, spec.Spec.Resources.CgroupParent, spec.ID), Runtime: p.name()}
	shm, err := r.peerShm(spec)
	if err != nil {
		return box, err
	}
	undone.Push("sandbox directory", func(context.Context) error { return r.removeSandboxDir(spec.ID) })
	if err := os.MkdirAll(r.places.sandbox(spec.ID), 0o700); err != nil {
		return box, err
	}
	switch {
	case shm != "":
		rec.Shm = shm
	case spec.Spec.Security.IpcMode == "host":
		rec.Shm = devShm
	case spec.Spec.Security.IpcMode == "shareable":
		rec.Shm = ownShm(spec.Dir)
	}
	if err := markRoot(spec.Root); err != nil {
		return box, err
	}
	network := r.network(spec)
	rec.NetNS = network
	if err := r.places.writeRecord(spec.ID, rec); err != nil {
		return box, err
	}
	if rec.Shm == ownShm(spec.Dir) {
		undone.Push("shared memory", func(context.Context) error { return dropShm(spec.Dir) })
		if err := makeShm(spec.Dir, shmSize(spec.Spec.Resources)); err != nil {
			return box, err
		}
	}
	if own := r.places.netns(spec.ID); network == own {
		undone.Push("network namespace", func(context.Context) error { return unpin(own) })
		if err := pinNetNS(own); err != nil {
			return box, err
		}
	}
	undone.Push("bundle", func(context.Context) error { return os.RemoveAll(bundle(spec.Dir)) })
	return engine.Sandbox{NetNS: network}, os.MkdirAll(bundle(spec.Dir), 0o700)
}

// network is the path of the namespace that a container shall have: its own, a peer's, or empty for the host's.
func (r *Runtime) network(spec engine.SandboxSpec) string {
	switch {
	case spec.HostNetwork:
		return ""
	case spec.NetworkOf.ID != "":
		return spec.NetworkOf.Sandbox.NetNS
	}
	return r.places.netns(spec.ID)
}

// FindSandbox implements lifecycle.Runtime. A namespace whose pin is gone is pinned again: pins are mounts, and an earlier
// daemon may have had its own mount namespace.
func (r *Runtime) FindSandbox(_ context.Context, id engine.ContainerID, _ string) (engine.Sandbox, error) {
	if !exists(r.places.sandbox(id)) {
		return engine.Sandbox{}, &engine.Error{Op: "find sandbox", Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: string(id)}
	}
	rec, err := r.places.readRecord(id)
	if err == nil && rec.NetNS == r.places.netns(id) && !isNamespace(rec.NetNS) {
		err = r.repin(id, rec.NetNS)
	}
	return engine.Sandbox{NetNS: rec.NetNS}, failed("find sandbox", id, err)
}

// repin pins the namespace of the container's first process, if it lives.
func (r *Runtime) repin(id engine.ContainerID, path string) error {
	pid, err := leader(r.places.runtimeRoot(id), string(id))
	if err != nil || pid == 0 {
		return err
	}
	return pin(fmt.Sprintf("/proc/%d/ns/net", pid), path)
}

// peerShm finds the /dev/shm of the container whose IPC is shared.
func (r *Runtime) peerShm(spec engine.SandboxSpec) (string, error) {
	id := spec.IpcOf.ID
	if id == "" {
		return "", nil
	}
	rec, err := r.places.readRecord(id)
	if err == nil && rec.Shm == "" {
		err = &engine.Error{
			Op: "start", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: string(spec.ID),
			Err: fmt.Errorf("failed to join IPC namespace: container %s: non-shareable IPC (hint: use IpcMode:shareable for the donor container)", id),
		}
	}
	return rec.Shm, err
}

func makeShm(dir string, size int64) error {
	path := ownShm(dir)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil || st.Type == unix.TMPFS_MAGIC && st.Blocks*uint64(st.Bsize) == uint64(size) {
		return err
	}
	data := fmt.Sprintf("mode=1777,size=%d", size)
	if err := unix.Mount("shm", path, "tmpfs", unix.MS_NOEXEC|unix.MS_NOSUID|unix.MS_NODEV, data); err != nil {
		return fmt.Errorf("mount shared memory at %s: %w", path, err)
	}
	return nil
}

func dropShm(dir string) error {
	if err := unmount(ownShm(dir)); err != nil {
		return err
	}
	return os.RemoveAll(ownShm(dir))
}

// RemoveSandbox implements lifecycle.Runtime. It goes on after an error and leaves the sandbox's directory then, so that
// Sandboxes still tells of it.
func (r *Runtime) RemoveSandbox(ctx context.Context, id engine.ContainerID, dir string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	err := errors.Join(
		r.killLeader(id),
		r.removeGroups(ctx, id),
		unpin(r.places.netns(id)),
		dropShm(dir),
		os.RemoveAll(bundle(dir)),
	)
	if err == nil {
		err = r.removeSandboxDir(id)
	}
	return failed("remove sandbox of", id, err)
}

// removeGroups removes the control group of the record and the one that the container has by default: a record may be lost.
func (r *Runtime) removeGroups(ctx context.Context, id engine.ContainerID) error {
	recorded, err := r.group(id)
	if err != nil {
		return err
	}
	usual := r.host.groups.Group(groupPath(r.host.groupParent, "", id))
	err = recorded.Remove(ctx)
	if usual.Path() != recorded.Path() {
		err = errors.Join(err, usual.Remove(ctx))
	}
	return err
}

// killLeader kills the process that the OCI runtime noted as the container's first: the end of a process namespace's first
// ends all of it, also what found its way out of the control group.
func (r *Runtime) killLeader(id engine.ContainerID) error {
	pid, err := leader(r.places.runtimeRoot(id), string(id))
	if err != nil || pid == 0 {
		return err
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill %d: %w", pid, err)
	}
	return nil
}

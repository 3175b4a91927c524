package volumes

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/xcengine/xc/engine"
)

// Mount makes a volume usable for a user and returns where it is on the host. A user counts once, however often he asks.
func (s *Service) Mount(ctx context.Context, name string, user engine.ContainerID) (string, error) {
	rec, ok := s.lookup(name)
	switch {
	case !ok:
		return "", notFound("mount", name)
	case !rec.Removing && !needsMount(rec.Volume):
		return rec.Mountpoint, nil
	}
	release, err := s.locks.take(ctx, name)
	if err != nil {
		return "", err
	}
	defer release()
	if rec, ok = s.lookup(name); !ok {
		return "", notFound("mount", name)
	}
	if rec.Removing {
		return "", &engine.Error{
			Kind: engine.Conflict, Resource: engine.ResourceVolume, ID: name,
			Err: fmt.Errorf("mount %s: the volume's removal was begun and failed: remove it again", name),
		}
	}
	if !needsMount(rec.Volume) {
		return rec.Mountpoint, nil
	}
	return rec.Mountpoint, s.mount(ctx, rec, user)
}

// mount records the user and mounts the volume unless it is; a copy-up that a crash interrupted is ended. The name is locked.
func (s *Service) mount(ctx context.Context, rec engine.VolumeRecord, user engine.ContainerID) error {
	before := rec.Users
	if !slices.Contains(before, user) {
		rec.Users = append(slices.Clone(before), user)
		if err := s.put(ctx, rec); err != nil {
			return err
		}
	}
	mounted, err := s.Mounter.Mounted(ctx, rec.Mountpoint)
	if err == nil && !mounted {
		err = s.Mounter.Mount(ctx, rec.Options["type"], rec.Options["device"], rec.Options["o"], rec.Mountpoint)
	}
	if err == nil {
		return s.settleCopy(ctx, rec)
	}
	rec.Users = before
	return &engine.Error{
		Kind: engine.KindOf(err), Resource: engine.ResourceVolume, ID: rec.Name,
		Err: errors.Join(fmt.Errorf("error while mounting volume '%s': failed to mount local volume: %w", rec.Mountpoint, err), s.put(context.WithoutCancel(ctx), rec)),
	}
}

// Unmount ends a user's use. The last one's end unmounts the volume. A volume or user that is not known is no error.
func (s *Service) Unmount(ctx context.Context, name string, user engine.ContainerID) error {
	rec, ok := s.lookup(name)
	if !ok || !needsMount(rec.Volume) {
		return nil
	}
	release, err := s.locks.take(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	if rec, ok = s.lookup(name); !ok || !slices.Contains(rec.Users, user) {
		return nil
	}
	return s.unmount(context.WithoutCancel(ctx), rec, user)
}

// unmount takes a user off the record, and the mount away with the last one. A mount that cannot be taken away stays without
// users, and goes with the next last one or with the volume. The name is locked.
func (s *Service) unmount(ctx context.Context, rec engine.VolumeRecord, user engine.ContainerID) error {
	rec.Users = slices.DeleteFunc(slices.Clone(rec.Users), func(u engine.ContainerID) bool { return u == user })
	var err error
	if len(rec.Users) == 0 {
		err = s.Mounter.Unmount(ctx, rec.Mountpoint)
	}
	return fault("unmount", rec.Name, errors.Join(err, s.put(ctx, rec)))
}

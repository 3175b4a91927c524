package oci

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/xcengine/xc/engine"
)

// Update implements lifecycle.Runtime. It goes through the OCI runtime, which knows in which order limits are written.
func (r *Runtime) Update(ctx context.Context, id engine.ContainerID, res engine.Resources) error {
	if _, err := r.running("update", id); err != nil {
		return err
	}
	possible, _ := honour(res, r.host.limits)
	if errs := checkResources(possible, r.host); len(errs) > 0 {
		return &engine.Error{Op: "update", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: string(id), Err: errors.Join(errs...)}
	}
	limits, err := resources(possible, blockDevice)
	if err != nil {
		return failed("update", id, err)
	}
	b, err := json.Marshal(limits)
	if err != nil {
		return failed("update", id, err)
	}
	rec, err := r.places.readRecord(id)
	if err != nil {
		return failed("update", id, err)
	}
	file := filepath.Join(r.places.sandbox(id), "update.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return failed("update", id, err)
	}
	err = r.programOf(rec).run(ctx, "--root", r.places.runtimeRoot(id), "update", "--resources", file, string(id))
	if err = errors.Join(err, os.Remove(file)); err != nil {
		return failed("update", id, err)
	}
	return failed("update", id, r.lift(id, possible))
}

// lift takes those limits away that there shall be none of.
func (r *Runtime) lift(id engine.ContainerID, res engine.Resources) error {
	group, err := r.group(id)
	if err != nil {
		return err
	}
	if res.PidsLimit != nil && *res.PidsLimit <= 0 {
		err = group.LiftPids()
	}
	if res.CPUQuota < 0 {
		err = errors.Join(err, group.LiftCPUQuota())
	}
	return err
}

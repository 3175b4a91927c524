package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// snapshots returns the directories of two snapshots of one ZFS dataset, which must be mounted.
func snapshots(ctx context.Context, from, to string) (old, now string, err error) {
	dataset, first, ok1 := strings.Cut(from, "@")
	other, second, ok2 := strings.Cut(to, "@")
	switch {
	case !ok1 || !ok2 || dataset == "" || strings.HasPrefix(dataset, "-"):
		return "", "", fmt.Errorf("%s and %s are no two snapshots: DATASET@NAME", from, to)
	case dataset != other:
		return "", "", fmt.Errorf("%s and %s are of two datasets", from, to)
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "zfs", "get", "-H", "-o", "value", "mountpoint", dataset)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("zfs get mountpoint %s: %w: %s", dataset, err, strings.TrimSpace(errs.String()))
	}
	mount := strings.TrimSpace(string(out))
	if !filepath.IsAbs(mount) {
		return "", "", fmt.Errorf("dataset %s has no mount point of its own (%s)", dataset, mount)
	}
	if old, err = snapshotDir(mount, first); err != nil {
		return "", "", err
	}
	now, err = snapshotDir(mount, second)
	return old, now, err
}

// snapshotDir is where zfs shows a snapshot (zfsprops(7), snapdir), visible or not.
func snapshotDir(mount, name string) (string, error) {
	if name == "" || strings.ContainsAny(name, "/@") || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("%q is no snapshot's name", name)
	}
	dir := filepath.Join(mount, ".zfs", "snapshot", name)
	_, err := os.Stat(dir)
	return dir, err
}

package oci

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// record is what is kept of a sandbox while it exists, so that its id alone is enough to reach it.
type record struct {
	Group string // its control group
	// Runtime is the name of the program that it was made for; empty in records that are older than the choice.
	Runtime string `json:",omitempty"`
	NetNS   string `json:",omitempty"` // its network namespace, also one that is a peer's; empty for the host's
	// Shm is the host directory that others may bind as /dev/shm to share it; empty when it is private.
	Shm string `json:",omitempty"`
}

// places are where a daemon keeps what belongs to its sandboxes.
type places struct{ state string }

func (p places) sandboxes() string { return filepath.Join(p.state, "oci") }

// sandbox is the directory that exists as long as anything of the sandbox does.
func (p places) sandbox(id engine.ContainerID) string {
	return filepath.Join(p.sandboxes(), string(id))
}

// runtimeRoot is the OCI runtime's state directory, one for each container.
func (p places) runtimeRoot(id engine.ContainerID) string {
	return filepath.Join(p.sandbox(id), "runtime")
}

func (p places) recordFile(id engine.ContainerID) string {
	return filepath.Join(p.sandbox(id), "sandbox.json")
}

func (p places) netnsDir() string { return filepath.Join(p.state, "netns") }

func (p places) netns(id engine.ContainerID) string {
	return filepath.Join(p.netnsDir(), id.Short())
}

// bundle is below the container's own directory.
func bundle(dir string) string { return filepath.Join(dir, "bundle") }

// ownShm is where a sandbox mounts the /dev/shm that it shares.
func ownShm(dir string) string { return filepath.Join(dir, "shm") }

func (p places) writeRecord(id engine.ContainerID, r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(p.recordFile(id), b, 0o600)
}

// readRecord returns an empty record where none was written, or not wholly: nothing was made then that it would name.
func (p places) readRecord(id engine.ContainerID) (record, error) {
	b, err := os.ReadFile(p.recordFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	var r record
	if err != nil {
		return r, err
	}
	if json.Unmarshal(b, &r) != nil {
		return record{}, nil
	}
	return r, nil
}

// idLength is that of an engine.ContainerID.
const idLength = 64

// isID reports whether a name is a container's id.
func isID(name string) bool {
	return len(name) == idLength && strings.Trim(name, "0123456789abcdef") == ""
}

// collect joins the names under which something of a sandbox was found: directories and control groups have the whole id,
// namespace pins its beginning. A pin of which nothing else is known is listed by that.
func collect(full, pins []string) []engine.ContainerID {
	var ids []engine.ContainerID
	for _, name := range full {
		if isID(name) {
			ids = append(ids, engine.ContainerID(name))
		}
	}
	for _, pin := range pins {
		if !slices.ContainsFunc(ids, func(id engine.ContainerID) bool { return id.Short() == pin }) {
			ids = append(ids, engine.ContainerID(pin))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

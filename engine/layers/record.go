package layers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/layer"
)

// layerRecord says that a layer exists.
type layerRecord struct {
	Parent engine.LayerID `json:"parent,omitempty"`
	DiffID string         `json:"diffID"`
	Size   int64          `json:"size"`
	// Boot is the boot in which the layer was made, until the file system was synced.
	Boot string `json:"boot,omitempty"`
	// Implied and Unlinked wait until the parent is there: layer.Applied.
	Implied  []string     `json:"implied,omitempty"`
	Unlinked []layer.Link `json:"unlinked,omitempty"`
}

func (r layerRecord) settled() bool { return len(r.Implied)+len(r.Unlinked) == 0 }

// rootRecord says that a root exists or is being made.
type rootRecord struct {
	Top  engine.LayerID `json:"top,omitempty"`
	Size int64          `json:"size,omitempty"`
}

// records are the files below one directory, each named after what it is about.
type records struct{ dir string }

const temporary = ".new-"

// fileName makes a file's name of an id that may hold a colon; ids were checked before.
func fileName(id string) string { return strings.ReplaceAll(id, ":", "-") }

func (r records) path(id string) string { return filepath.Join(r.dir, fileName(id)) }

// put writes a record, whole or not at all.
func (r records) put(id string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp := filepath.Join(r.dir, temporary+fileName(id))
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, r.path(id))
}

func (r records) remove(id string) error {
	err := os.Remove(r.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// load reads all records. One that cannot be read, as a crash of the machine may leave it, is removed.
func load[ID ~string, R any](r records, id func(name string) (ID, bool)) (map[ID]R, error) {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, err
	}
	all := make(map[ID]R, len(entries))
	for _, e := range entries {
		path := filepath.Join(r.dir, e.Name())
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var rec R
		key, ok := id(e.Name())
		if !ok || json.Unmarshal(raw, &rec) != nil {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
			continue
		}
		all[key] = rec
	}
	return all, nil
}

func layerIDOf(name string) (engine.LayerID, bool) {
	id := engine.LayerID(strings.Replace(name, "-", ":", 1))
	return id, checkLayerID(id) == nil
}

func rootIDOf(name string) (engine.ContainerID, bool) {
	return engine.ContainerID(name), checkRootID(engine.ContainerID(name)) == nil
}

// checkLayerID and checkRootID keep what is no id out of paths.
func checkLayerID(id engine.LayerID) error {
	_, err := imageformat.ParseDigest(string(id))
	return err
}

func checkRootID(id engine.ContainerID) error {
	if len(id) < 8 || strings.Trim(string(id), "0123456789abcdef") != "" {
		return fmt.Errorf("%q is no container id", id)
	}
	return nil
}

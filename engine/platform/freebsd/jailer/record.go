package jailer

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/wholefile"
)

// record is what is kept of a sandbox while it exists, so that its id alone is enough to reach it.
type record struct {
	Jail     string   // its name when it was made, with its parents'; its limits keep it
	Moved    string   `json:",omitempty"` // its name once the jail that it is in was left, see leave
	Root     string   // the jail's path
	Mounts   bool     `json:",omitempty"` // the jail may mount by itself
	Datasets []string `json:",omitempty"`
	Tunnels  []made   `json:",omitempty"`
	// Tunnelled says that interfaces were wanted. Those that are not among Tunnels are found by their group.
	Tunnelled bool `json:",omitempty"`
	// OOM are the messages of the kernel about this jail that stood in its buffer when the sandbox was made.
	OOM []string `json:",omitempty"`
}

// names are those that the jail can have, the newest first.
func (r record) names() []string {
	if r.Moved == "" {
		return []string{r.Jail}
	}
	return []string{r.Moved, r.Jail}
}

// places are where a daemon keeps what belongs to its sandboxes.
type places struct{ state string }

func (p places) sandboxes() string { return filepath.Join(p.state, "jails") }

// sandbox is the directory that exists as long as anything of the sandbox does.
func (p places) sandbox(id engine.ContainerID) string {
	return filepath.Join(p.sandboxes(), string(id))
}

// readOnlyRoot is where the root is seen read-only.
func (p places) readOnlyRoot(id engine.ContainerID) string {
	return filepath.Join(p.sandbox(id), "root")
}

func (p places) recordFile(id engine.ContainerID) string {
	return filepath.Join(p.sandbox(id), "sandbox.json")
}

func (p places) writeRecord(id engine.ContainerID, r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	file := p.recordFile(id)
	return wholefile.Write(file, b)
}

// readRecord is fs.ErrNotExist where none was written: then nothing was made yet.
func (p places) readRecord(id engine.ContainerID) (record, error) {
	var r record
	b, err := os.ReadFile(p.recordFile(id))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(b, &r)
}

// list returns the ids of all sandboxes of which something may exist.
func (p places) list() ([]engine.ContainerID, error) {
	entries, err := os.ReadDir(p.sandboxes())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []engine.ContainerID
	for _, e := range entries {
		if name := e.Name(); len(name) == 64 && strings.Trim(name, "0123456789abcdef") == "" {
			ids = append(ids, engine.ContainerID(name))
		}
	}
	return ids, nil
}

// beyond reports whether messages holds one that is not among the old.
func beyond(messages, old []string) bool {
	seen := map[string]int{}
	for _, m := range old {
		seen[m]++
	}
	for _, m := range messages {
		if seen[m]--; seen[m] < 0 {
			return true
		}
	}
	return false
}

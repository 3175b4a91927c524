package launch

import (
	"encoding/json"
	"fmt"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/linux/cgroup"
)

// Platform is the name that a Launch for this package carries.
const Platform = "linux"

// Payload is what the daemon's side tells this one about a process, in engine.Launch.
type Payload struct {
	Runtime string // path of the OCI runtime's program
	Hidden  string // a mount that the runtime must not see, empty for none
	Root    string // its state directory
	ID      string // the container's name for the runtime
	Bundle  string // an existing directory that holds config.json; files of single processes come and go there
	// Process is an exec's runtime-spec process; empty for main, which stands in config.json.
	Process json.RawMessage `json:",omitempty"`
	Word    string          // the program as the user wrote it, for errors
	Cwd     string          // the working directory, for errors
	// Cgroup are the directories of the container's control group, one per hierarchy.
	Cgroup []string
	// Warm is a hierarchy to be made ready for the runtime's moving of the process; empty for none.
	Warm cgroup.Hierarchy
}

// Encode renders the payload.
func (p Payload) Encode() ([]byte, error) { return json.Marshal(p) }

func decode(l engine.Launch) (Payload, error) {
	var p Payload
	if l.Platform != Platform {
		return p, fmt.Errorf("a launch for platform %q came to the one for %q", l.Platform, Platform)
	}
	if err := json.Unmarshal(l.Payload, &p); err != nil {
		return p, fmt.Errorf("decode launch: %w", err)
	}
	return p, nil
}

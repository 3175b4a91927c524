package launch

import (
	"encoding/json"
	"fmt"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/sysctl"
)

// Platform is the name that a Launch for this package carries.
const Platform = "freebsd"

// Payload is what the daemon's side tells this one about a process, in engine.Launch. The second stage reads it too, and may
// be of another version than the shim: members are added, never changed.
type Payload struct {
	JID     int
	Args    []string
	Env     []string // complete but for HOME, which the second stage knows
	Cwd     string   // absolute
	MakeCwd bool     // make the directory with its parents if it is not there
	User    string   // "user[:group]", names or numbers; empty is root
	Groups  []string // supplementary, names or numbers
	Rlimits []Rlimit `json:",omitempty"`
	// Sysctls are set in the jail before its main process runs.
	Sysctls []sysctl.Setting `json:",omitempty"`
	// NoNewPrivileges makes setuid and setgid programs run without what they would gain.
	NoNewPrivileges bool `json:",omitempty"`
}

// Rlimit is one bound of setrlimit(2), by the system's number. -1 is infinity.
type Rlimit struct {
	Resource   int
	Soft, Hard int64
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
	if len(p.Args) == 0 {
		return p, fmt.Errorf("decode launch: no program")
	}
	return p, nil
}

// order is what the first stage sends to the second.
type order struct {
	Payload
	TTY  bool
	Size [2]uint16 // rows, columns
}

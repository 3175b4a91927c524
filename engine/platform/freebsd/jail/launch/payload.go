package launch

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/platform/freebsd/sysctl"
	"github.com/xcengine/xc/engine/platform/initproc"
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
	// Before and After are run before and after the program, by the second stage, which stays then: its end is the program's.
	// So it is with Persist, which waits for a signal before After; All then waits for what the program left behind.
	Before  []Step `json:",omitempty"`
	After   []Step `json:",omitempty"`
	Persist bool   `json:",omitempty"`
	All     bool   `json:",omitempty"`
}

// Step is one further program, with the members of Payload.
type Step struct {
	Args, Env []string
	Cwd, User string
	Timeout   time.Duration // it is killed then
}

func (p Payload) chained() bool { return len(p.Before)+len(p.After) > 0 || p.Persist }

// chain is what the second stage runs; id is main's identity.
func (p Payload) chain(known accounts.Files, id accounts.Identity) (initproc.Chain, error) {
	c := initproc.Chain{
		Main: initproc.Step{Args: p.Args, Env: withHome(p.Env, id), User: numbers(id)}, All: p.All, Persist: p.Persist,
	}
	for _, list := range []struct {
		from []Step
		to   *[]initproc.Step
	}{{p.Before, &c.Before}, {p.After, &c.After}} {
		for _, step := range list.from {
			who, err := known.Identify(step.User, nil)
			if err != nil {
				return c, err
			}
			*list.to = append(*list.to, initproc.Step{
				Args: step.Args, Env: withHome(step.Env, who), Dir: step.Cwd, User: numbers(who), Timeout: step.Timeout,
			})
		}
	}
	return c, nil
}

// numbers are an identity as the one who assumes it takes it.
func numbers(id accounts.Identity) *initproc.User {
	u := initproc.User{UID: uint32(id.UID), GID: uint32(id.GID)}
	for _, g := range id.Groups {
		u.Groups = append(u.Groups, uint32(g))
	}
	return &u
}

// withHome completes an environment by what only the jail knows.
func withHome(env []string, id accounts.Identity) []string {
	if has(env, "HOME") {
		return env
	}
	return append(slices.Clip(env), "HOME="+id.Home)
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

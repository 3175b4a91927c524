package engine

import (
	"os"
	"time"
)

// Container is the record of one container. Services hand out copies; nobody changes one that was handed out.
type Container struct {
	ID       ContainerID
	Name     string // without a leading slash
	Created  time.Time
	Spec     Spec
	Image    ImageID
	Platform Platform
	Driver   string // storage driver of the root
	LogPath  string // json-file log, empty when the log driver keeps no file

	Status Status
	Mounts []MountPoint // resolved: every mount that is not the engine's own
	// Endpoints are the container's places in networks by network name: wanted ones while it is stopped, with addresses
	// while it runs.
	Endpoints map[string]Endpoint
	Ports     []PublishedPort // in force; empty while stopped
	Execs     []ExecID        // those that have not ended
	// Storage tells where the storage driver keeps the root, in the driver's own words. Inspect alone fills it.
	Storage map[string]string
}

// Spec is everything that was asked for at create, merged with the image's configuration.
type Spec struct {
	ImageRef             string // as the user wrote it
	Process              ProcessSpec
	Hostname, Domainname string
	Labels               map[string]string
	Annotations          map[string]string
	ExposedPorts         []Port
	// VolumePaths are the paths that image or user declared as anonymous volumes.
	VolumePaths                             []string
	StopSignal                              string      // name or number as given; empty is SIGTERM
	StopTimeout                             *int        // seconds; nil is the default of 10
	Health                                  *HealthSpec // nil: none declared
	OnBuild                                 []string    // carried for commit
	Shell                                   []string    // carried for commit
	OpenStdin                               bool        // keep a stdin for attach
	StdinOnce                               bool        // close stdin after the first attached client ends
	AttachStdin, AttachStdout, AttachStderr bool        // echoed only

	Mounts       []MountSpec
	VolumesFrom  []string // "container[:ro|rw]"
	VolumeDriver string
	Tmpfs        map[string]string // path → options, as --tmpfs takes them
	ReadonlyRoot bool
	StorageOpts  map[string]string // "size"

	Network   NetworkSpec
	Resources Resources
	Security  Security

	Restart    RestartPolicy
	AutoRemove bool
	Init       *bool
	Log        LogSpec
	Runtime    string
	TreeExit   bool // the container ends with main's last descendant, not with main
	NoClean    bool // what a run made stays after its end, until the next start or the removal
	Persist    bool // the container goes on after its end, without processes, until it is stopped
	// Before and After are programs of the image's that run one after the other before main is started and after it ended,
	// in the same sandbox. How they end decides nothing.
	Before, After []Step
	Jail          JailSpec
	// Bare leaves out what the image's own part of xc's asks for: a step of a build runs the image's files, not the image.
	Bare bool
	// Transient containers do a step of a longer operation and do not outlive the daemon that made them, unless they are kept: the
	// next one removes them.
	Transient bool
	// SecretEnv are further variables of main, over all others, that nobody is shown and that are not kept: a container that
	// outlives the daemon is started without them.
	SecretEnv []string

	// Echo keeps fields of the request that have no meaning for the engine but must come back in inspect, as the API
	// that took them encoded them.
	Echo []byte
}

// ProcessSpec says what a process is run with.
type ProcessSpec struct {
	Entrypoint  []string
	Cmd         []string
	Env         []string // "K=V"; later ones win
	WorkDir     string   // empty is "/"
	User        string   // "user[:group]", names or numbers, resolved inside the root
	Groups      []string // supplementary, names or numbers
	TTY         bool
	ConsoleSize [2]uint16 // rows, columns; zero means not known
}

// Args returns entry point and command joined.
func (p ProcessSpec) Args() []string {
	return append(append(make([]string, 0, len(p.Entrypoint)+len(p.Cmd)), p.Entrypoint...), p.Cmd...)
}

// Chained reports whether more than the main process must be seen to inside the sandbox: by a process of ours, whose end is the
// container's.
func (s Spec) Chained() bool { return len(s.Before)+len(s.After) > 0 || s.Persist }

// Step is one program of an image's chains.
type Step struct {
	Process ProcessSpec   // Entrypoint unused
	Timeout time.Duration // it is killed then
}

// JailSpec is what a container's jail is made with beyond Docker's words. Only platforms that isolate with jails look at it.
type JailSpec struct {
	VNET *bool // nil: a stack of its own, unless the network is the host's or another container's
	// Params are jail parameters by the kernel's names ("allow.mlock"); those of the engine's own are refused.
	Params     map[string]string
	DevfsRules []string // devfs(8)'s words, beyond the engine's own
	Datasets   []JailDataset
	Tunnels    []Tunnel
	Mounts     []SpecialMount
}

// JailDataset is a dataset that the jail manages itself. It must have the properties.
type JailDataset struct {
	Dataset
	Props map[string]string
}

// SpecialMount is a kernel file system in the root: "procfs", "fdescfs", "linprocfs", "linsysfs" or "tmpfs".
type SpecialMount struct{ Type, Target string }

// Status is the state machine's record. Only engine/lifecycle's transition function writes State.
type Status struct {
	State     State
	Pid       int // of the main process in the host's numbering; 0 unless alive
	ExitCode  int // 128 + signal number for a signal; as Docker shows it
	OOMKilled bool
	Error     string // why the last start failed
	Started   time.Time
	Finished  time.Time
	Restarts  int  // restarts by policy since somebody started it
	Stopped   bool // by a user's stop or kill: "unless-stopped" and "always" then do not restart it
	Health    *Health
	// Intent is the step that was begun and not yet finished; recovery ends or undoes it.
	Intent Intent
}

// Intent names a multi-step operation that was begun, in the database before its first act.
type Intent string

// The intents.
const (
	IntentNone    Intent = ""
	IntentCreate  Intent = "create"
	IntentStart   Intent = "start"
	IntentConnect Intent = "connect" // its networks are being changed while it runs
	IntentStop    Intent = "stop"    // the process ended or must end; its sandbox is being undone
	IntentRemove  Intent = "remove"
	// IntentRemoveVolumes removes the container's anonymous volumes too.
	IntentRemoveVolumes Intent = "remove-volumes"
)

// HealthSpec is a health check. Test is Docker's form: nil or {} inherits, {"NONE"} disables, {"CMD", args...} executes,
// {"CMD-SHELL", line} runs the image's shell.
type HealthSpec struct {
	Test          []string
	Interval      time.Duration // 0 is 30 s
	Timeout       time.Duration // 0 is 30 s
	StartPeriod   time.Duration
	StartInterval time.Duration // 0 is 5 s
	Retries       int           // 0 is 3
}

// HealthStatus is Docker's word for a container's health.
type HealthStatus string

// The health states.
const (
	HealthNone      HealthStatus = "none"
	HealthStarting  HealthStatus = "starting"
	HealthHealthy   HealthStatus = "healthy"
	HealthUnhealthy HealthStatus = "unhealthy"
)

// Health is the present health and the last five probes, oldest first.
type Health struct {
	Status  HealthStatus
	Failing int // consecutive failures
	Log     []HealthProbe
}

// HealthProbe is one run of a health check. Output is cut at 4096 bytes.
type HealthProbe struct {
	Start, End time.Time
	ExitCode   int
	Output     string
}

// RestartPolicy says when an ended container is started again.
type RestartPolicy struct {
	Name       RestartMode
	MaxRetries int // for on-failure; 0 is without limit
}

// RestartMode is the name of a restart policy.
type RestartMode string

// The restart policies. The empty mode is "no".
const (
	RestartNo            RestartMode = "no"
	RestartAlways        RestartMode = "always"
	RestartOnFailure     RestartMode = "on-failure"
	RestartUnlessStopped RestartMode = "unless-stopped"
)

// LogSpec chooses a log driver and its options (max-size, max-file, compress, labels, env, tag).
type LogSpec struct {
	Driver  string // json-file, local, none; empty is the daemon's default
	Options map[string]string
}

// WaitCondition says what Wait waits for.
type WaitCondition string

// The wait conditions.
const (
	WaitNotRunning WaitCondition = "not-running"
	WaitNextExit   WaitCondition = "next-exit"
	WaitRemoved    WaitCondition = "removed"
)

// WaitResult ends a wait.
type WaitResult struct {
	ExitCode int
	Err      string // why the exit code is not known, or removal failed
}

// CreateRequest asks for a container. Name empty lets the engine choose one. What Spec leaves unset is taken from the image.
type CreateRequest struct {
	Name     string
	Platform *Platform // nil: the daemon's choice
	Spec     Spec
	// Endpoints are the wanted places in networks by name or id; empty means Spec.Network.Mode alone.
	Endpoints map[string]EndpointSpec
	// Opened are files of the host by their absolute paths that the asker has opened: what the labels have copied is read from them, and
	// not by those paths. They are the asker's, and open until the container is made.
	Opened map[string]*os.File
}

// CreateResult answers a create. Warnings name accepted fields that this platform does not honour.
type CreateResult struct {
	ID       ContainerID
	Warnings []string
}

// ContainerQuery selects containers for a list. Values of one field are alternatives, fields add up; labels must all hold.
type ContainerQuery struct {
	All           bool // also those that do not run
	Limit         int  // the newest n, also not running; 0 is no limit
	Size          bool
	IDs           []string // prefixes or regular expressions, as Docker takes them
	Names         []string // regular expressions over "/name" and "name"
	Ancestors     []string // image names or ids
	States        []State
	Exited        []int
	Labels        []LabelMatch
	NotLabels     []LabelMatch
	Before, Since string   // container names or ids
	Volumes       []string // names or mount points
	Networks      []string // names or ids
	Health        []HealthStatus
	Published     []PortRange // of the host
	Exposed       []PortRange
	IsTask        *bool
}

// LabelMatch asks for a label's key, and for its value when HasValue.
type LabelMatch struct {
	Key, Value string
	HasValue   bool
}

// ContainerSummary is one row of a list.
type ContainerSummary struct {
	Container
	LinkedAs []string  // the names by which others link to it, "owner/alias", sorted
	Size     *RootSize // only when asked for
}

// RootSize says how large a container's root is, in bytes.
type RootSize struct {
	Writable int64 // what the container changed
	Total    int64 // with its image
}

// StopOptions says how a container is stopped.
type StopOptions struct {
	Signal  string // empty is the container's own
	Timeout *int   // seconds before SIGKILL; nil is the container's own; negative waits for ever
}

// RemoveOptions says how a container is removed.
type RemoveOptions struct {
	Force   bool // kill it first when it runs
	Volumes bool // remove its anonymous volumes too
	Link    bool // remove a link only
}

// UpdateRequest changes a container's resources and restart policy. Nil members stay as they are.
type UpdateRequest struct {
	Resources ResourceUpdate
	Restart   *RestartPolicy
}

// ProcessTable is the answer to top.
type ProcessTable struct {
	Titles []string
	Rows   [][]string
}

// ChangeKind says how a path differs from the image.
type ChangeKind uint8

// The kinds of change, by Docker's numbers.
const (
	ChangeModified ChangeKind = 0
	ChangeAdded    ChangeKind = 1
	ChangeDeleted  ChangeKind = 2
)

// Change is one path that differs from the image, absolute inside the root.
type Change struct {
	Path string
	Kind ChangeKind
}

// PruneQuery selects what a prune removes.
type PruneQuery struct {
	Until     time.Time // zero: any age
	Labels    []LabelMatch
	NotLabels []LabelMatch
	All       bool // volumes: also named ones; images: also tagged ones
}

// PruneResult says what a prune removed and how many bytes that freed.
type PruneResult struct {
	Deleted   []string
	Reclaimed int64
}

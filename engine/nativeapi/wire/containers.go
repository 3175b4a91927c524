package wire

import "time"

// Container is what there is to know of one container: an item of GET /v1/containers, and the answer of GET /v1/containers/REF.
type Container struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Image    string    `json:"image"` // as the user wrote it
	ImageID  string    `json:"image_id"`
	Platform string    `json:"platform"` // "freebsd/amd64"

	State     string     `json:"state"` // created, running, paused, restarting, removing, exited, dead
	Pid       int        `json:"pid,omitempty"`
	ExitCode  int        `json:"exit_code"`
	OOMKilled bool       `json:"oom_killed,omitempty"`
	Error     string     `json:"error,omitempty"` // why the last start failed
	Started   *time.Time `json:"started,omitempty"`
	Finished  *time.Time `json:"finished,omitempty"`
	Restarts  int        `json:"restarts,omitempty"`
	Health    string     `json:"health,omitempty"`

	Process  Process `json:"process"`
	Hostname string  `json:"hostname,omitempty"`
	Jail     *Jail   `json:"jail,omitempty"` // FreeBSD, while it runs

	NetworkMode string     `json:"network_mode,omitempty"`
	Networks    []Endpoint `json:"networks"`
	Ports       []Port     `json:"ports"`
	Mounts      []Mount    `json:"mounts"`

	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Restart     Restart           `json:"restart"`
	AutoRemove  bool              `json:"auto_remove,omitempty"`
	StopSignal  string            `json:"stop_signal,omitempty"`
	StopTimeout *int              `json:"stop_timeout,omitempty"` // seconds
	Log         Log               `json:"log"`
	Driver      string            `json:"driver"`            // of storage
	Storage     map[string]string `json:"storage,omitempty"` // where the storage driver keeps the root; inspect alone
	Size        *RootSize         `json:"size,omitempty"`    // when asked for
}

// Process is what a container's main process was run with.
type Process struct {
	Args    []string `json:"args"` // entry point and command
	Env     []string `json:"env,omitempty"`
	WorkDir string   `json:"work_dir,omitempty"`
	User    string   `json:"user,omitempty"`
	TTY     bool     `json:"tty,omitempty"`
	Stdin   bool     `json:"stdin,omitempty"` // is kept open for those who attach
}

// Jail is a running container's place in a FreeBSD kernel.
type Jail struct {
	Name string `json:"name"`
	JID  int    `json:"jid"`
	VNET bool   `json:"vnet"`
}

// Endpoint is a container's place in a network. Addresses are there while it is attached.
type Endpoint struct {
	Network   string   `json:"network"`
	Interface string   `json:"interface,omitempty"`
	MAC       string   `json:"mac,omitempty"`
	IPv4      string   `json:"ipv4,omitempty"` // CIDR
	IPv6      string   `json:"ipv6,omitempty"` // CIDR
	Gateway4  string   `json:"gateway4,omitempty"`
	Gateway6  string   `json:"gateway6,omitempty"`
	Aliases   []string `json:"aliases,omitempty"`
	Names     []string `json:"names,omitempty"` // that the resolver answers
}

// Port is a published port in force.
type Port struct {
	HostIP   string `json:"host_ip"`
	HostPort uint16 `json:"host_port"`
	Port     uint16 `json:"port"`
	Proto    string `json:"proto"`
}

// Mount is a mount of a container.
type Mount struct {
	Kind     string `json:"kind"`           // bind, volume, tmpfs, image
	Name     string `json:"name,omitempty"` // of a volume
	Source   string `json:"source,omitempty"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// Restart is a restart policy.
type Restart struct {
	Policy string `json:"policy"`        // no, always, on-failure, unless-stopped
	Max    int    `json:"max,omitempty"` // for on-failure; 0 is without limit
}

// Log is a log driver with its options.
type Log struct {
	Driver  string            `json:"driver,omitempty"`
	Options map[string]string `json:"options,omitempty"`
}

// RootSize says how large a container's root is.
type RootSize struct {
	Writable int64 `json:"writable"` // what the container changed
	Total    int64 `json:"total"`    // with its image
}

// Stop is the body of POST /v1/containers/REF/stop and restart.
type Stop struct {
	Signal  string `json:"signal,omitempty"`  // empty is the container's own
	Timeout *int   `json:"timeout,omitempty"` // seconds before SIGKILL; absent is the container's own, negative waits for ever
}

// Kill is the body of POST /v1/containers/REF/kill.
type Kill struct {
	Signal string `json:"signal,omitempty"` // name or number; empty is KILL
}

// Rename is the body of POST /v1/containers/REF/rename.
type Rename struct {
	Name string `json:"name"`
}

// Ports is the body of POST and DELETE /v1/containers/REF/ports.
type Ports struct {
	Ports []Publish `json:"ports"`
}

// Waited is the line of GET /v1/containers/REF/wait and link, whose header comes when the wait is armed.
type Waited struct {
	ExitCode int    `json:"exit_code"`
	Error    string `json:"error,omitempty"` // why the code is not known
}

// ProcessTable answers GET /v1/containers/REF/top.
type ProcessTable struct {
	Titles []string   `json:"titles"`
	Rows   [][]string `json:"rows"`
}

// Change is an item of GET /v1/containers/REF/changes.
type Change struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // added, modified, deleted
}

// Stats is one line of GET /v1/containers/REF/stats.
type Stats struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Read     time.Time `json:"read"` // zero: it does not run
	CPU      uint64    `json:"cpu"`  // nanoseconds since its start
	System   uint64    `json:"system,omitempty"`
	CPUs     int       `json:"cpus"`
	Memory   uint64    `json:"memory"`
	MemLimit uint64    `json:"memory_limit"`
	Pids     uint64    `json:"pids"`
	RxBytes  uint64    `json:"rx_bytes"`
	TxBytes  uint64    `json:"tx_bytes"`
	BlockIn  uint64    `json:"read_bytes"`
	BlockOut uint64    `json:"written_bytes"`
}

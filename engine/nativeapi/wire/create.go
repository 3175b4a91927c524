package wire

// ContainerCreate is the body of POST /v1/containers. What it leaves out comes from the image.
type ContainerCreate struct {
	Name     string `json:"name,omitempty"`
	Image    string `json:"image"`
	Platform string `json:"platform,omitempty"`

	// EntryPoint is the name of one of the image's entry points, else a program. Entrypoint replaces the image's own, and what
	// follows are its arguments; of the two at most one may be given.
	EntryPoint string   `json:"entry_point,omitempty"`
	Entrypoint []string `json:"entrypoint,omitempty"`
	Args       []string `json:"args,omitempty"`

	Env      []string `json:"env,omitempty"` // "K=V"
	WorkDir  string   `json:"work_dir,omitempty"`
	User     string   `json:"user,omitempty"` // "user[:group]"
	Groups   []string `json:"groups,omitempty"`
	TTY      bool     `json:"tty,omitempty"`
	Size     *Size    `json:"size,omitempty"` // of the terminal
	Stdin    bool     `json:"stdin,omitempty"`
	Once     bool     `json:"stdin_once,omitempty"` // stdin ends with the first client that was attached
	Hostname string   `json:"hostname,omitempty"`

	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`

	Network NetworkWish `json:"network"`
	Publish []Publish   `json:"publish,omitempty"`
	// PublishAll publishes every port that the image exposes.
	PublishAll bool        `json:"publish_all,omitempty"`
	Mounts     []MountWish `json:"mounts,omitempty"`
	Tmpfs      []Tmpfs     `json:"tmpfs,omitempty"`
	ReadOnly   bool        `json:"read_only,omitempty"`

	Restart     Restart  `json:"restart"`
	AutoRemove  bool     `json:"auto_remove,omitempty"`
	Init        *bool    `json:"init,omitempty"`
	StopSignal  string   `json:"stop_signal,omitempty"`
	StopTimeout *int     `json:"stop_timeout,omitempty"`
	Log         Log      `json:"log"`
	Limits      Limits   `json:"limits"`
	CapAdd      []string `json:"cap_add,omitempty"`
	CapDrop     []string `json:"cap_drop,omitempty"`
	Privileged  bool     `json:"privileged,omitempty"`
	// Opened names, in their order, the files and directories of the host that the caller has opened and passes with the first bytes
	// of the connection (SCM_RIGHTS). It shows so that it may give them to a container; what is copied is read from them.
	Opened []string `json:"opened,omitempty"`
	// TreeExit: the container ends with the last descendant of its main process.
	TreeExit bool `json:"tree_exit,omitempty"`
}

// Created answers it.
type Created struct {
	ID       string   `json:"id"`
	Warnings []string `json:"warnings,omitempty"` // accepted members that this platform does not honour
}

// Size is a terminal's, in characters.
type Size struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// NetworkWish is what a container wants of the network.
type NetworkWish struct {
	// Mode is host, none, or container:REF; empty means Networks, and with none of those the daemon's default.
	Mode string `json:"mode,omitempty"`
	// Networks are the managed networks it is attached to.
	Networks []NetworkJoin `json:"networks,omitempty"`
	// DNS and the like replace the host's resolv.conf.
	DNS        []string `json:"dns,omitempty"`
	DNSSearch  []string `json:"dns_search,omitempty"`
	DNSOptions []string `json:"dns_options,omitempty"`
	ExtraHosts []string `json:"extra_hosts,omitempty"` // "name:address"
}

// NetworkJoin is a wanted place in a network.
type NetworkJoin struct {
	Network string   `json:"network"`
	IPv4    string   `json:"ipv4,omitempty"` // empty: any
	IPv6    string   `json:"ipv6,omitempty"`
	Aliases []string `json:"aliases,omitempty"`
}

// Publish wants a container's port to be reachable at the host.
type Publish struct {
	HostIP string `json:"host_ip,omitempty"` // empty: every address
	// Interface stands for each of its addresses at that time; HostIP must be empty then.
	Interface string `json:"interface,omitempty"`
	HostPort  uint16 `json:"host_port,omitempty"` // 0: any free one
	HostLast  uint16 `json:"host_last,omitempty"` // above HostPort: any free one up to it
	Port      uint16 `json:"port"`
	Proto     string `json:"proto"` // tcp, udp, sctp
}

// MountWish is a wanted mount: of a host path when Source is absolute, else of the volume of that name, or of a new one.
type MountWish struct {
	Source   string `json:"source,omitempty"`
	Target   string `json:"target"` // absolute, or the name of a mount that the image declares
	ReadOnly bool   `json:"read_only,omitempty"`
}

// Tmpfs is a file system in memory.
type Tmpfs struct {
	Target  string `json:"target"`
	Options string `json:"options,omitempty"` // as docker run --tmpfs takes them
}

// Limits bound what a container may use; zero is no bound.
type Limits struct {
	Memory  int64    `json:"memory,omitempty"`
	CPUs    float64  `json:"cpus,omitempty"`
	Pids    int64    `json:"pids,omitempty"`
	ShmSize int64    `json:"shm_size,omitempty"`
	Ulimits []Ulimit `json:"ulimits,omitempty"`
}

// Ulimit is one pair of setrlimit(2); -1 is infinity.
type Ulimit struct {
	Name string `json:"name"`
	Soft int64  `json:"soft"`
	Hard int64  `json:"hard"`
}

// Exec is the query of the upgrade to POST /v1/containers/REF/exec, in its JSON body, and the body of a detached one.
type Exec struct {
	Args       []string `json:"args"`
	Env        []string `json:"env,omitempty"`
	WorkDir    string   `json:"work_dir,omitempty"`
	User       string   `json:"user,omitempty"`
	TTY        bool     `json:"tty,omitempty"`
	Size       *Size    `json:"size,omitempty"`
	Stdin      bool     `json:"stdin,omitempty"`
	Detach     bool     `json:"detach,omitempty"` // start it and answer at once
	DetachKeys string   `json:"detach_keys,omitempty"`
	Privileged bool     `json:"privileged,omitempty"`
}

// ExecStarted answers a detached one.
type ExecStarted struct {
	ID string `json:"id"`
}

// Attach is the body of the upgrade to POST /v1/containers/REF/attach.
type Attach struct {
	Stdin      bool   `json:"stdin,omitempty"`
	Stdout     bool   `json:"stdout,omitempty"`
	Stderr     bool   `json:"stderr,omitempty"`
	Logs       bool   `json:"logs,omitempty"`        // what it wrote before, first
	DetachKeys string `json:"detach_keys,omitempty"` // "ctrl-p,q"
	// Until says which end the exit frame tells: not-running, next-exit, removed.
	Until string `json:"until,omitempty"`
}

// Commit is the body of POST /v1/containers/REF/commit.
type Commit struct {
	Ref     string   `json:"ref,omitempty"` // of the new image
	Comment string   `json:"comment,omitempty"`
	Author  string   `json:"author,omitempty"`
	Changes []string `json:"changes,omitempty"` // Dockerfile instructions
	Pause   bool     `json:"pause,omitempty"`
}

// Committed answers it.
type Committed struct {
	ID string `json:"id"`
}

// PathStatHeader is the header in which GET /v1/containers/REF/files tells what its tar is of, as JSON of PathStat in ASCII.
const PathStatHeader = "Xc-Path-Stat"

// PathStat answers GET /v1/containers/REF/files/stat.
type PathStat struct {
	Name       string `json:"name"`
	Size       int64  `json:"size"`
	Mode       uint32 `json:"mode"` // Go's io/fs.FileMode bits
	LinkTarget string `json:"link_target,omitempty"`
}

package doctor

// Facts is what a host was found to be. Exactly one of FreeBSD and Linux is set.
type Facts struct {
	Root    bool // the facts were gathered as root; else some are hidden
	Config  Config
	Native  Peer  // of xcd's own socket
	Docker  Peer  // of the Docker socket
	Users   Group // the group that owns the Docker socket
	State   Disk  // where the state directory is, or will be
	Tools   map[string]string
	FreeBSD *FreeBSD
	Linux   *Linux
}

// Config is what the daemon's configuration says, defaults filled in.
type Config struct {
	File             File
	Problem          string // why it cannot be used; empty when it can
	StateDir         string
	SocketPath       string
	DockerSocket     string
	Group            string
	StorageDriver    string
	Runtime          string
	ImageDataset     string
	ContainerDataset string
}

// File is a configuration file.
type File struct {
	Path   string
	Exists bool
	Text   string
}

// Peer is who is at a socket.
type Peer struct {
	Path   string
	Exists bool
	Server string // who answers; empty when nobody does
	Error  string
	// Warnings are the daemon's own, as "docker info" shows them.
	Warnings []string
}

// Group is a group of users.
type Group struct {
	Name    string
	Exists  bool
	Members []string
}

// Disk is the file system that a path is on.
type Disk struct {
	Path        string
	Free, Total uint64 // bytes; Total 0: it is not known
}

// FreeBSD is what is found on FreeBSD.
type FreeBSD struct {
	Sysctl     map[string]string // of sysctls, those that this kernel has
	Loaded     map[string]bool   // kernel files and the modules in them
	BuiltIn    map[string]bool   // modules that are part of the kernel itself
	Available  map[string]bool   // of modules, those whose files are there
	RC         map[string]string // variables of rc.conf
	Service    bool              // xcd's rc.d script is installed
	LoaderConf File
	SysctlConf File
	PFConf     File
	PFEnabled  bool
	PFMissing  []string // lines that the rules in force lack; only with PFEnabled
	Rulesets   []int    // of devfs
	Pools      []Pool
	RootPool   string             // pool that / is on
	Datasets   map[string]Dataset // the configured ones that exist, and the daemon's own below them
	Owner      string             // the daemon's mark, once it ran
	CopyInUse  bool               // roots are kept by the storage driver copy
}

// Pool is a ZFS pool.
type Pool struct {
	Name, Health string
	Free         uint64
	Full         int // percent
}

// Dataset is a ZFS dataset's properties.
type Dataset map[string]string

// Linux is what is found on Linux.
type Linux struct {
	Distribution []string // ID and ID_LIKE of os-release(5)
	Overlay      bool     // the kernel has it, or loads it at the first mount
	NFTables     bool
	Controllers  []string // of control groups
	Forwarding   bool
}

package engine

// Resources bounds what a container may use. Zero values mean no bound unless said otherwise.
type Resources struct {
	Memory                                 int64 // bytes
	MemorySwap                             int64 // bytes, memory and swap together; -1 is no bound
	MemoryReservation                      int64 // bytes
	KernelMemory                           int64
	Swappiness                             *int64
	OOMKillDisable                         *bool
	OOMScoreAdj                            int
	NanoCPUs                               int64 // billionths of a processor
	CPUShares                              int64
	CPUPeriod                              int64 // microseconds
	CPUQuota                               int64 // microseconds
	CPURealtimePeriod, CPURealtimeRuntime  int64 // microseconds
	CPUSetCPUs, CPUSetMems                 string
	PidsLimit                              *int64 // nil, 0 and -1 are no bound
	BlkioWeight                            uint16
	BlkioWeightDevice                      []WeightDevice
	ReadBps, WriteBps, ReadIOps, WriteIOps []ThrottleDevice
	Ulimits                                []Ulimit
	ShmSize                                int64 // bytes of /dev/shm; 0 is 64 MiB
	CgroupParent                           string
	Devices                                []Device
	DeviceCgroupRules                      []string
}

// ResourceUpdate is the part of Resources that can change while a container lives; nil members stay.
type ResourceUpdate struct {
	Memory, MemorySwap, MemoryReservation, KernelMemory *int64
	NanoCPUs, CPUShares, CPUPeriod, CPUQuota            *int64
	CPURealtimePeriod, CPURealtimeRuntime, PidsLimit    *int64
	CPUSetCPUs, CPUSetMems                              *string
	BlkioWeight                                         *uint16
}

// Ulimit is one setrlimit(2) pair; Name without the RLIMIT_ prefix in lower case, -1 is infinity.
type Ulimit struct {
	Name       string
	Soft, Hard int64
}

// WeightDevice is a block device's share.
type WeightDevice struct {
	Path   string
	Weight uint16
}

// ThrottleDevice is a block device's bound, in bytes or operations a second.
type ThrottleDevice struct {
	Path string
	Rate uint64
}

// Device is a host device given to a container. Access is a subset of "rwm".
type Device struct {
	HostPath, Path, Access string
}

// Security is how far a container is kept apart from its host.
type Security struct {
	Privileged      bool
	CapAdd, CapDrop []string // with or without "CAP_", "ALL" for all
	Options         []string // "seccomp=…", "no-new-privileges", "apparmor=…", "label=…", "systempaths=unconfined"
	Sysctls         map[string]string
	PidMode         string   // "", "host", "container:<id>"
	IpcMode         string   // "", "private", "shareable", "none", "host", "container:<id>"
	UTSMode         string   // "", "host"
	UsernsMode      string   // "", "host"
	CgroupnsMode    string   // "", "private", "host"
	MaskedPaths     []string // nil: the default list; empty: none
	ReadonlyPaths   []string // nil: the default list; empty: none
}

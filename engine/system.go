package engine

import "time"

// Info describes the daemon and its host.
type Info struct {
	ID                                           string
	Name                                         string // of the host
	Capabilities                                 Capabilities
	Containers, Running, Paused, Stopped, Images int
	Driver                                       string // storage driver
	DriverStatus                                 [][2]string
	StateDir                                     string
	Version, Commit, BuildTime                   string
	SystemTime                                   time.Time
	LogDriver                                    string
	LogDrivers, NetworkDrivers, VolumeDrivers    []string
	Labels                                       []string
	Insecure                                     []string
	Mirrors                                      []string
	HTTPProxy, HTTPSProxy, NoProxy               string
	Goroutines, Descriptors, EventListeners      int
	Debug                                        bool
	Warnings                                     []string
	// AddressPools are those that networks are taken from: Subnet is a pool, Range its first network, whose length all have.
	AddressPools    []Pool
	FirewallBackend string
	ForwardingOff   bool // the host does not forward IPv4
}

// DiskUsage answers system df.
type DiskUsage struct {
	LayersSize int64
	Images     []ImageSummary
	Containers []ContainerSummary
	Volumes    []VolumeUsage
	BuildCache []BuildCacheRecord
}

// BuildCacheRecord is one cached build step.
type BuildCacheRecord struct {
	ID, Type, Description string
	Parents               []string
	InUse, Shared         bool
	Size                  int64
	Created               time.Time
	LastUsed              time.Time
	Uses                  int
}

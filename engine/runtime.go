package engine

import (
	"io"
	"net/netip"
	"os"
	"time"
)

// Sandbox is a container's place in the kernel, made before its network and its process.
type Sandbox struct {
	NetNS string // Linux: path of the network namespace; empty with the host's own
	Jail  string // FreeBSD: the jail's name
	JID   int    // FreeBSD: the jail's number
	VNET  bool   // FreeBSD: the jail has a network stack of its own
}

// SandboxSpec says what a platform makes a container's sandbox of.
type SandboxSpec struct {
	ID       ContainerID
	Dir      string // an existing directory of the container's own, for bundle and sockets
	Root     string // the mounted root
	Platform Platform
	Spec     Spec
	Mounts   []Mount
	// Files are files of the engine (hosts, hostname, resolv.conf) by path inside the container. Their content is
	// written by Launch's caller just before the process starts.
	Files map[string]string
	// NetworkOf and the like name the container whose namespaces are shared; empty for its own.
	NetworkOf, PidOf, IpcOf Peer
	HostNetwork             bool
	// NetPrivate: the container gets a network stack of its own.
	NetPrivate bool
	Args       []string
	Init       bool
}

// Peer is a running container whose namespaces another one joins.
type Peer struct {
	ID      ContainerID
	Pid     int
	Sandbox Sandbox
	Dir     string
}

// Launch is what a platform's runtime hands to the same platform's launcher inside the shim to start one process. Nobody
// between the two reads Payload.
type Launch struct {
	Platform  string // must equal the shim's own
	Payload   []byte // JSON
	TTY       bool
	Size      [2]uint16 // rows, columns of the terminal; zero means not known
	Stdin     bool      // give the process a stdin that attached clients feed; else /dev/null
	StdinOnce bool      // close it when the first client that feeds it ends
}

// Supervision is what a shim is told at its birth, before any process.
type Supervision struct {
	ID       ContainerID
	Dir      string // the container's own directory; the shim keeps its socket, pid and exit status there
	Log      LogFile
	TreeExit bool // report the exit when main's last descendant ended
	Proxies  []Proxy
}

// LogFile says how a shim writes a container's log.
type LogFile struct {
	Driver   string            // json-file, local, syslog, none
	Path     string            // empty: nothing is kept to be read
	MaxSize  int64             // bytes; 0 is without bound
	MaxFiles int               // at least 1
	Compress bool              // rotated files
	Attrs    map[string]string // labels, env and tag options, resolved
	Syslog   *Syslog           // where lines are sent, too; nil: nowhere
}

// Syslog says how a shim sends a container's lines as syslog messages.
type Syslog struct {
	Network  string // udp, tcp, unix, unixgram; empty: the host's own syslogd
	Address  string // host:port or the path of a socket
	Facility int    // 0-23 (RFC 5424, section 6.2.1)
	Format   string // Docker's names: rfc3164, rfc5424, rfc5424micro; empty: as to the host's own
	Tag      string
	Hostname string
	Buffer   int64 // bytes of messages that wait for the receiver; 0: the container does
}

// Proxy is one listener that a shim forwards: of the host to the container, or, where it is a socket in the container's root
// (SocketStream, SocketDatagram), to a socket of the host.
type Proxy struct {
	Proto    Proto
	Listen   netip.AddrPort
	Target   netip.AddrPort
	Inside   string   // where a socket listens, a path in the root
	Outside  string   // where a socket leads, a path of the host
	Listener *os.File // bound; passed to the shim
}

// ExitStatus is how a process ended.
type ExitStatus struct {
	Code   int // 128 + signal number when a signal ended it
	Signal int // 0 if it exited by itself
	At     time.Time
}

// ExitInfo is what the platform knows of an ended container beyond its status.
type ExitInfo struct {
	OOMKilled bool
}

// Stdio asks for a process's streams. Stdin is read until EOF, and its end closes the process's stdin (StdinOnce). Nil
// members are not wanted. With a TTY everything comes on Stdout.
type Stdio struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Stats is one sample of what a container uses.
type Stats struct {
	Read     time.Time
	CPU      CPUStats
	Memory   MemoryStats
	Pids     PidsStats
	Blkio    []BlkioStat
	Networks map[string]InterfaceStats // by interface name inside the container
}

// CPUStats counts in nanoseconds.
type CPUStats struct {
	Total, User, Kernel                      uint64
	PerCPU                                   []uint64
	System                                   uint64 // of the whole host
	Online                                   int
	ThrottledPeriods, Periods, ThrottledTime uint64
}

// MemoryStats counts in bytes.
type MemoryStats struct {
	Usage, MaxUsage, Limit uint64
	Failures               uint64
	Detail                 map[string]uint64 // cgroup's memory.stat, or its like
}

// PidsStats counts processes.
type PidsStats struct {
	Current, Limit uint64
}

// BlkioStat is one counter of one block device, bytes.
type BlkioStat struct {
	Major, Minor uint64
	Op           string // read, write
	Bytes        uint64
}

// InterfaceStats counts from the container's side.
type InterfaceStats struct {
	RxBytes, RxPackets, RxErrors, RxDropped uint64
	TxBytes, TxPackets, TxErrors, TxDropped uint64
}

// Capabilities says what a platform can do beyond running containers.
type Capabilities struct {
	Jails                                                                          bool   // isolates with jails: JailSpec has an effect
	OSType                                                                         string // runtime.GOOS
	Architecture                                                                   string // as uname -m says
	Pause                                                                          bool
	Propagation                                                                    bool // mounts made on the host after a start can reach a bind
	MemoryLimit, SwapLimit, CPUShares, CPUQuota, CPUSet, PidsLimit, OOMKillDisable bool
	CgroupVersion                                                                  string // "1", "2", empty
	CgroupDriver                                                                   string
	KernelVersion, OperatingSystem, OSVersion                                      string
	NCPU                                                                           int
	MemTotal                                                                       int64
	Runtime                                                                        string // name and version of what isolates
	RuntimePath                                                                    string
	Runtimes                                                                       map[string]string // further ones that a Spec may name, and their paths
	Security                                                                       []string          // "name=seccomp,profile=builtin"
	Warnings                                                                       []string
}

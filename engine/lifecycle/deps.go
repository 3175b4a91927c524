package lifecycle

import (
	"context"
	"io"

	"github.com/xcengine/xc/engine"
)

// Runtime isolates containers: it makes and unmakes the sandbox that a container runs in, and reaches into it. Every
// method may be repeated; those that unmake succeed when there is nothing to unmake.
type Runtime interface {
	Capabilities() engine.Capabilities
	// Check reports everything about the spec that this platform refuses, as one error of kind Invalid, and returns
	// warnings for what it accepts without honouring it.
	Check(ctx context.Context, spec engine.SandboxSpec) (warnings []string, err error)
	// CreateSandbox makes what must exist before the network and the process: mounts and jail, or network namespace.
	// After an error nothing of it remains.
	CreateSandbox(ctx context.Context, spec engine.SandboxSpec) (engine.Sandbox, error)
	// Launch prepares the main process of the sandbox for the shim.
	Launch(ctx context.Context, spec engine.SandboxSpec, box engine.Sandbox) (engine.Launch, error)
	// LaunchExec prepares a further process in a running container.
	LaunchExec(ctx context.Context, spec engine.SandboxSpec, box engine.Sandbox, id engine.ExecID, exec engine.ExecSpec) (engine.Launch, error)
	// Ended tells what only the kernel knows of a container whose main process ended and whose sandbox still exists.
	Ended(ctx context.Context, id engine.ContainerID) (engine.ExitInfo, error)
	// RemoveSandbox ends whatever still runs in the sandbox and unmakes it, given nothing but the container's id and
	// its directory: it works after a crash at any point of CreateSandbox and Launch.
	RemoveSandbox(ctx context.Context, id engine.ContainerID, dir string) error
	// FindSandbox finds the sandbox of a container that an earlier daemon started; NotFound when there is none.
	FindSandbox(ctx context.Context, id engine.ContainerID, dir string) (engine.Sandbox, error)
	// Sandboxes lists the containers of this daemon of which something exists in the kernel.
	Sandboxes(ctx context.Context) ([]engine.ContainerID, error)

	Pause(ctx context.Context, id engine.ContainerID) error
	Resume(ctx context.Context, id engine.ContainerID) error
	Update(ctx context.Context, id engine.ContainerID, res engine.Resources) error
	Stats(ctx context.Context, id engine.ContainerID, box engine.Sandbox, pid int) (engine.Stats, error)
	// Processes lists the container's processes; psArgs is what the user gave to top, empty for "-ef".
	Processes(ctx context.Context, id engine.ContainerID, box engine.Sandbox, psArgs []string) (engine.ProcessTable, error)
}

// OOMWatcher is what a Runtime may be too, where the kernel tells of it: Ended alone tells what ended a container, not what it
// outlives.
type OOMWatcher interface {
	// WatchOOM calls tell each time that there is no memory for a process of the container that runs. After stop has returned,
	// tell is not called any more; tell must not call it.
	WatchOOM(id engine.ContainerID, tell func()) (stop func(), err error)
}

// Shims starts and finds the processes that outlive the daemon and are the parents of all that runs in containers.
type Shims interface {
	// Start brings up a shim without a process. It ends by itself when its client goes before Run was called.
	Start(ctx context.Context, s engine.Supervision) (Shim, error)
	// Open connects to a shim that an earlier daemon started. It is NotFound when none lives.
	Open(ctx context.Context, id engine.ContainerID, dir string) (Shim, error)
	// Exit reads the exit status that a shim wrote for the container's last run. It is NotFound when there is none.
	Exit(ctx context.Context, dir string) (engine.ExitStatus, error)
	// Clean kills a shim that cannot be reached and removes what the last run left in dir, the exit status included.
	Clean(ctx context.Context, dir string) error
}

// Shim is one container's supervisor. All methods are safe for concurrent use.
type Shim interface {
	// Run starts the main process once. A failure to execute it is Invalid with ReasonExecNotFound, ReasonExecDenied,
	// ReasonExecIsDir, ReasonBadCwd or ReasonNoUser, and the shim then ends.
	Run(ctx context.Context, l engine.Launch) (pid int, err error)
	// Attach connects to the main process's streams and returns when it is connected: from then on nothing is
	// missed. It may be called before Run.
	Attach(ctx context.Context, opts engine.AttachOptions) (engine.Conn, error)
	// StartExec starts a further process with the wanted streams connected from its first byte.
	StartExec(ctx context.Context, id engine.ExecID, l engine.Launch, want engine.AttachOptions) (pid int, c engine.Conn, err error)
	// Resize sets the size of a terminal. The empty id is the main process, here and in Signal.
	Resize(ctx context.Context, id engine.ExecID, rows, cols uint16) error
	Signal(ctx context.Context, id engine.ExecID, sig engine.Signal) error
	// Forward makes the shim forward the ports that are named and no others: new ones have a Listener, which stays the
	// caller's. It is NotFound when main does not run, NotImplemented by a shim of an earlier version.
	Forward(ctx context.Context, all []engine.Proxy) error
	// Status returns the main process's pid, and the pids and ends of the execs that the shim remembers.
	Status(ctx context.Context) (engine.ShimStatus, error)
	// Events delivers process ends in order, each once, those that came before this client included; it is closed when
	// the shim has gone. The end of main comes after all its output was handed to attached clients and the log.
	Events() <-chan engine.ShimEvent
	// Logged is a channel that receives, coalesced, after the log grew; stop ends it. It is closed with the shim.
	Logged(ctx context.Context) (grew <-chan struct{}, stop func(), err error)
	// Release tells a shim whose main process ended that everything was noted; it ends. Without a word it ends by
	// itself after a while.
	Release(ctx context.Context) error
	Close() error
}

// Roots keeps the containers' root file systems. All methods may be repeated.
type Roots interface {
	Driver() string
	Create(ctx context.Context, id engine.ContainerID, top engine.LayerID, opts map[string]string) error
	// Fill applies an uncompressed layer's tar to a root that nothing uses yet. After an error part of it may stay.
	Fill(ctx context.Context, id engine.ContainerID, tar io.Reader) error
	// Mount makes the root usable at the returned host path.
	Mount(ctx context.Context, id engine.ContainerID) (path string, err error)
	Unmount(ctx context.Context, id engine.ContainerID) error
	Remove(ctx context.Context, id engine.ContainerID) error
	Size(ctx context.Context, id engine.ContainerID) (engine.RootSize, error)
	// Describe tells where a root is kept, in the driver's own words.
	Describe(ctx context.Context, id engine.ContainerID) (map[string]string, error)
	Changes(ctx context.Context, id engine.ContainerID) ([]engine.Change, error)
	// List names every root that exists, for recovery.
	List(ctx context.Context) ([]engine.ContainerID, error)
}

// Images finds what a container is made of. A container's image is held by its record: the images service asks back.
type Images interface {
	// Lookup resolves a reference, id or id prefix; with a platform, the image for it.
	Lookup(ctx context.Context, ref string, platform *engine.Platform) (engine.Image, error)
}

// Layers reads what images consist of.
type Layers interface {
	// Diff gives the uncompressed tar of one layer of a chain.
	Diff(ctx context.Context, id engine.LayerID) (io.ReadCloser, error)
}

// Networks gives containers their network.
type Networks interface {
	// Check resolves network names to their canonical ones and reports what is wrong with a wish before anything is made.
	Check(ctx context.Context, mode engine.NetworkMode, endpoints map[string]engine.EndpointSpec) (map[string]engine.Endpoint, error)
	// CheckLabels reports what is wrong with what a container's labels ask of its networks, as Check answered them.
	CheckLabels(mode engine.NetworkMode, endpoints map[string]engine.Endpoint, labels map[string]string) error
	// Environment is what a container's programs are told of its network, "K=V", given what it has.
	Environment(a engine.Attachment) []string
	// Attach converges a container's network to what is asked, before its process starts or while it runs.
	Attach(ctx context.Context, a engine.Attachment) (engine.Attached, error)
	// Detach unmakes everything that Attach made for the container: links, addresses, rules, ports.
	Detach(ctx context.Context, id engine.ContainerID) error
	// Recover takes up what containers that kept running hold, before any Attach.
	Recover(ctx context.Context, running []engine.Attachment, held map[engine.ContainerID]engine.Attached) error
	// Resolver returns the addresses that a container's resolv.conf names when the user gave none, and whether the
	// engine's own resolver serves it.
	Resolver(ctx context.Context, mode engine.NetworkMode, endpoints map[string]engine.Endpoint) (engine.Resolver, error)
}

// Volumes keeps volumes.
type Volumes interface {
	// Ensure makes a volume if it is not there.
	Ensure(ctx context.Context, req engine.VolumeRequest) (engine.Volume, error)
	// Mount makes the volume usable at the returned host path for a user. It is counted per user, not per call.
	Mount(ctx context.Context, name string, user engine.ContainerID) (path string, err error)
	Unmount(ctx context.Context, name string, user engine.ContainerID) error
	// CopyUp fills an empty volume, or a directory in it that is empty, with what stands at path in the mounted root. It happens
	// at most once in a volume's life; a directory in it that is not there is left so.
	CopyUp(ctx context.Context, name, subpath, root, path string) error
	Remove(ctx context.Context, name string, force bool) error
	// Recover takes up the volumes that containers which kept running have mounted, and unmounts what others left.
	Recover(ctx context.Context, running []engine.ContainerID) error
}

// Store keeps containers across restarts of the daemon. Each call is one transaction.
type Store interface {
	PutContainer(ctx context.Context, c engine.Container) error
	DeleteContainer(ctx context.Context, id engine.ContainerID) error
	Containers(ctx context.Context) ([]engine.Container, error)
}

// Events takes what happened, in order.
type Events interface {
	Publish(e engine.Event)
}

// LogReader reads containers' logs.
type LogReader interface {
	// Check resolves and checks a container's log driver and its options. File.Path is set by the caller.
	Check(spec engine.LogSpec, c engine.Container) (engine.LogFile, error)
	// Open accepts a request. With q.Follow, grew must deliver after each growth and be closed when no more comes.
	Open(file engine.LogFile, q engine.LogQuery, grew <-chan struct{}) (LogRecords, error)
}

// LogRecords is an open log.
type LogRecords interface {
	// Read calls each for every record, oldest first; when following it calls flush before it waits for more. Read once.
	Read(ctx context.Context, each func(engine.LogRecord) error, flush func() error) error
	Close() error
}

// FileAccess reads and writes single paths of a root with its mounts.
type FileAccess interface {
	Stat(ctx context.Context, root engine.MountedRoot, path string) (engine.PathStat, error)
	Read(ctx context.Context, root engine.MountedRoot, path string) (engine.Archive, error)
	Write(ctx context.Context, root engine.MountedRoot, path string, tar io.Reader, o engine.ExtractOptions) error
	Export(ctx context.Context, root engine.MountedRoot) (io.ReadCloser, error)
	// MakeDir makes what is missing of a directory; it belongs to root and may be read by all. Links on the way are followed.
	MakeDir(ctx context.Context, root engine.MountedRoot, path string) error
}

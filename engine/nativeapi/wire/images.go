package wire

import (
	"time"

	"github.com/xcengine/xc/imageformat"
)

// JailConfig is xc's part of an image's configuration, with the keys of its file: envs, entry_points, mounts and so on.
type JailConfig = imageformat.JailConfig

// Image is an item of GET /v1/images; GET /v1/images/REF answers one.
type Image struct {
	ID       string     `json:"id"`
	Tags     []string   `json:"tags"`              // "repository:tag"
	Digests  []string   `json:"digests,omitempty"` // "repository@sha256:…"
	Digest   string     `json:"digest,omitempty"`  // of its manifest
	Parent   string     `json:"parent,omitempty"`
	Created  *time.Time `json:"created,omitempty"`
	Tagged   *time.Time `json:"tagged,omitempty"` // last
	Platform string     `json:"platform"`
	Size     int64      `json:"size"` // of all layers, unpacked
	// Shared is how much of it other images have too; Containers how many are made of it. Both are of lists alone.
	Shared     *int64 `json:"shared,omitempty"`
	Containers *int   `json:"containers,omitempty"`

	Author  string            `json:"author,omitempty"`
	Comment string            `json:"comment,omitempty"`
	Process ImageProcess      `json:"process"`
	Labels  map[string]string `json:"labels,omitempty"`
	Ports   []string          `json:"ports,omitempty"` // "80/tcp"
	Volumes []string          `json:"volumes,omitempty"`
	Layers  []string          `json:"layers,omitempty"` // diff ids, bottom first
	ChainID string            `json:"chain_id,omitempty"`
	Driver  string            `json:"driver"`
	Storage map[string]string `json:"storage,omitempty"` // what the storage driver tells
	// TreeExit: it is one of the original xc's, whose containers end with the last descendant of their main process.
	TreeExit bool        `json:"tree_exit,omitempty"`
	Jail     *JailConfig `json:"jail,omitempty"` // of GET /v1/images/REF alone
}

// ImageProcess is what an image runs, in Docker's words.
type ImageProcess struct {
	Entrypoint []string `json:"entrypoint,omitempty"`
	Cmd        []string `json:"cmd,omitempty"`
	Env        []string `json:"env,omitempty"`
	WorkDir    string   `json:"work_dir,omitempty"`
	User       string   `json:"user,omitempty"`
	StopSignal string   `json:"stop_signal,omitempty"`
}

// Made answers what made or changed an image.
type Made struct {
	ID string `json:"id"`
}

// Pull is the body of POST /v1/images/pull, whose answer is lines of Progress.
type Pull struct {
	Ref      string `json:"ref"`                // "[registry/]name[:tag][@digest]"
	Platform string `json:"platform,omitempty"` // "os[/arch[/variant]]"; empty: what suits the daemon's host best
	All      bool   `json:"all,omitempty"`      // every tag of the repository
}

// Push is the body of POST /v1/images/push, whose answer is lines of Progress; the result of one is the pushed digest.
type Push struct {
	Ref      string `json:"ref"`
	Target   string `json:"target,omitempty"` // the name at the registry, where it is not Ref
	Platform string `json:"platform,omitempty"`
	All      bool   `json:"all,omitempty"`      // every tag of the repository
	Insecure bool   `json:"insecure,omitempty"` // plain HTTP and unknown certificates are accepted
	// MergeIndex puts the image into the index that the target's tag has at the registry, in the place of its platform.
	MergeIndex bool `json:"merge_index,omitempty"`
}

// Import is the part "request" of POST /v1/images/import; the part "content" is the tar of a root, of any compression.
type Import struct {
	Ref      string       `json:"ref,omitempty"`
	Message  string       `json:"message,omitempty"`
	Changes  []string     `json:"changes,omitempty"` // Dockerfile instructions
	Platform string       `json:"platform,omitempty"`
	Config   *JailConfig  `json:"config,omitempty"`
	Patch    []ImagePatch `json:"patch,omitempty"` // applied to Config
}

// ImagePatch is one change of an image's JailConfig; one member is set. POST /v1/images/REF/patch takes a list of them.
type ImagePatch struct {
	AddEnv            *PatchEnv    `json:"add_env,omitempty"`
	AddExec           *PatchExec   `json:"add_exec,omitempty"`
	DefaultEntryPoint string       `json:"default_entry_point,omitempty"` // one that there is
	AddVolume         *PatchVolume `json:"add_volume,omitempty"`
	Mount             *PatchMount  `json:"mount,omitempty"`
	Allow             []string     `json:"allow,omitempty"`  // "-x" takes x away
	SysV              []string     `json:"sysv,omitempty"`   // shm, msg, sem; "-shm" disables it
	Device            string       `json:"device,omitempty"` // a devfs rule more
	Port              *PatchPort   `json:"port,omitempty"`
}

// PatchEnv describes a variable.
type PatchEnv struct {
	Name        string  `json:"name"`
	Default     *string `json:"default,omitempty"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
}

// PatchExec adds or replaces an entry point.
type PatchExec struct {
	Name       string            `json:"name"`
	Program    string            `json:"program"`
	Args       []string          `json:"args,omitempty"` // replaced by what the user gives
	Env        map[string]string `json:"env,omitempty"`
	RequireEnv []string          `json:"require_env,omitempty"`
	User       string            `json:"user,omitempty"`
	Group      string            `json:"group,omitempty"`
	WorkDir    string            `json:"work_dir,omitempty"`
}

// PatchVolume declares a mount. Its name is that of the path unless Name is set.
type PatchVolume struct {
	MountPoint  string            `json:"mount_point"`
	Name        string            `json:"name,omitempty"`
	Description string            `json:"description,omitempty"`
	Hints       map[string]string `json:"hints,omitempty"`
	ReadOnly    bool              `json:"read_only,omitempty"`
	Required    bool              `json:"required,omitempty"`
}

// PatchMount adds a kernel file system.
type PatchMount struct {
	Type string `json:"type"` // procfs, fdescfs
	Path string `json:"path"`
}

// PatchPort describes a port: "80/tcp", "8000-8010".
type PatchPort struct {
	Port        string `json:"port"`
	Description string `json:"description,omitempty"`
}

// Tag is the body of POST /v1/images/REF/tag.
type Tag struct {
	Target string `json:"target"`
}

// ImageRemoved is an item of DELETE /v1/images/REF and of a prune; one member is set.
type ImageRemoved struct {
	Untagged string `json:"untagged,omitempty"`
	Deleted  string `json:"deleted,omitempty"`
}

// ImagesPruned answers POST /v1/images/prune.
type ImagesPruned struct {
	Images    []ImageRemoved `json:"images"`
	Reclaimed int64          `json:"reclaimed"` // bytes
}

// HistoryStep is an item of GET /v1/images/REF/history, the newest first.
type HistoryStep struct {
	ID        string     `json:"id,omitempty"` // empty: not known here
	Created   *time.Time `json:"created,omitempty"`
	CreatedBy string     `json:"created_by,omitempty"`
	Comment   string     `json:"comment,omitempty"`
	Size      int64      `json:"size"`
	Tags      []string   `json:"tags,omitempty"`
}

// Save is the body of POST /v1/images/save, whose answer is a tar.
type Save struct {
	Refs     []string `json:"refs"`
	Platform string   `json:"platform,omitempty"`
}

// Found is an item of GET /v1/search.
type Found struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Stars       int    `json:"stars"`
	Official    bool   `json:"official"`
}

// Prune is the body of POST /v1/images/prune, /v1/networks/prune, /v1/volumes/prune and /v1/builds/prune.
type Prune struct {
	All    bool     `json:"all,omitempty"`    // images: those with names too; volumes: those that were named; builds: everything
	Until  string   `json:"until,omitempty"`  // RFC 3339: only what is older
	Labels []string `json:"labels,omitempty"` // KEY or KEY=VALUE
	Not    []string `json:"not,omitempty"`    // those without these labels
}

// Pruned answers a prune of what is not images.
type Pruned struct {
	Deleted   []string `json:"deleted"`
	Reclaimed int64    `json:"reclaimed"` // bytes
}

// Login is the body of POST /v1/login.
type Login struct {
	Server   string `json:"server,omitempty"` // empty: Docker Hub
	Username string `json:"username"`
	Password string `json:"password"`
	Insecure bool   `json:"insecure,omitempty"` // plain HTTP and unknown certificates are accepted, from now on
}

// String keeps the password out of logs.
func (l Login) String() string { return "login of " + l.Username }

// Logout is the body of POST /v1/logout.
type Logout struct {
	Server string `json:"server,omitempty"`
}

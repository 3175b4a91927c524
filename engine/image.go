package engine

import (
	"io"
	"strings"
	"time"

	"github.com/xcengine/xc/imageformat"
)

// Platform is an OCI platform.
type Platform struct {
	OS, Architecture, Variant, OSVersion string
}

// String returns "os/arch[/variant]".
func (p Platform) String() string {
	parts := []string{p.OS, p.Architecture}
	if p.Variant != "" {
		parts = append(parts, p.Variant)
	}
	return strings.Join(parts, "/")
}

// ImageConfig is what an image says about running it.
type ImageConfig struct {
	Process      ProcessSpec
	ExposedPorts []Port
	VolumePaths  []string
	Labels       map[string]string
	StopSignal   string
	StopTimeout  *int
	Health       *HealthSpec
	Shell        []string
	OnBuild      []string
	ArgsEscaped  bool
}

// Image is one image of the store.
type Image struct {
	ID              ImageID
	Digest          string   // of its manifest, "sha256:…"; empty when it never had one
	Tags            []string // "repository:tag", familiar form
	Digests         []string // "repository@sha256:…"
	Parent          ImageID  // of a locally built or committed image
	Comment, Author string
	Created         time.Time
	LastTagged      time.Time
	Platform        Platform
	Config          ImageConfig
	// Jail is xc's own part of the configuration, with the present entry point; nil when there is none. It is shared: nobody
	// changes it.
	Jail *imageformat.JailConfig
	// TreeExit: the image is one of the original xc's, whose programs may put themselves into the background.
	TreeExit bool
	Layers   []string          // diff ids, bottom first
	Top      LayerID           // chain id of them all
	Size     int64             // bytes of all layers, unpacked
	Manifest *ImageManifest    // of Digest, where it was asked for; nil when there is none
	Driver   string            // storage driver
	Dir      map[string]string // what the storage driver shows in inspect
}

// ImageManifest is the manifest by which registries and archives know an image.
type ImageManifest struct {
	Digest, MediaType string
	Size              int64 // bytes of the manifest itself
	// Content is how many bytes are kept of it, of its config and of its layers as they travel.
	Content    int64
	Containers []ContainerID // made of the image
}

// ImageQuery selects images for a list.
type ImageQuery struct {
	All           bool // with intermediate ones
	SharedSize    bool
	Manifests     bool
	References    []string // patterns
	Dangling      *bool
	Labels        []LabelMatch
	NotLabels     []LabelMatch
	Before, Since string
	Until         time.Time
}

// ImageSummary is one row of a list.
type ImageSummary struct {
	Image
	Containers int   // -1: not counted
	SharedSize int64 // -1: not computed
}

// HistoryEntry is one step of an image's making, newest first.
type HistoryEntry struct {
	ID        ImageID // empty: not known here ("<missing>")
	Created   time.Time
	CreatedBy string
	Comment   string
	Size      int64
	Tags      []string
}

// ImageRemoval says how an image is removed.
type ImageRemoval struct {
	Force bool // also with several names, or with containers that have ended
	Prune bool // its parents too, where nothing else needs them
	// Platforms are those whose images lose the name; none means all that have it.
	Platforms []Platform
}

// ImageDeleted is one line of a removal's answer; one member is set.
type ImageDeleted struct {
	Untagged, Deleted string
}

// Progress is one line of a long operation's report. ID names the part (a layer); without Total the end is not known.
type Progress struct {
	ID             string
	Status         string
	Current, Total int64
	Stream         string // free text of a load or build
	// Aux carries a result: pushed digest, built id.
	Aux *ProgressAux
}

// ProgressAux is a machine-readable result inside a progress stream.
type ProgressAux struct {
	ID          ImageID // of a built image
	Tag, Digest string  // of a pushed one
	Size        int64
}

// ProgressFunc takes progress as it happens, from one goroutine at a time. It must not block for long.
type ProgressFunc func(Progress)

// Credentials are for one registry. They never reach a log.
type Credentials struct {
	Username, Password, IdentityToken, RegistryToken, ServerAddress string
}

// String keeps credentials out of logs.
func (c Credentials) String() string { return "credentials" }

// PullRequest asks for an image of a registry.
type PullRequest struct {
	Ref      string // "name[:tag][@digest]"
	All      bool   // every tag of the repository
	Platform *Platform
	Auth     Credentials
}

// PushRequest sends an image to a registry.
type PushRequest struct {
	Ref      string
	All      bool
	Platform *Platform
	Auth     Credentials
	// Target is the name at the registry, where it is not Ref's.
	Target string
	// Insecure accepts plain HTTP and unknown certificates of the registry.
	Insecure bool
	// MergeIndex puts the image into the index that the tag has at the registry, in the place of its platform.
	MergeIndex bool
}

// ImportRequest makes an image of a root's tar stream.
type ImportRequest struct {
	Ref      string // may be empty
	Message  string
	Changes  []string // Dockerfile instructions
	Platform *Platform
	// Jail gives xc's part of the configuration, after Changes; nil leaves it to what they say.
	Jail func(*imageformat.JailConfig) error
}

// CommitRequest makes an image of a container's root.
type CommitRequest struct {
	Container       string
	Ref             string
	Comment, Author string
	Pause           bool
	Changes         []string
	// Config overrides what the container's configuration would give; nil takes that.
	Config *ImageConfig
}

// SearchResult is one hit of a registry search.
type SearchResult struct {
	Name, Description   string
	Stars               int
	Official, Automated bool
}

// Distribution describes what a registry holds under a name.
type Distribution struct {
	MediaType string
	Digest    string
	Size      int64
	Platforms []Platform
}

// NewImage is an image that a builder makes upon another one.
type NewImage struct {
	Parent             ImageID // empty: upon nothing
	Platform           Platform
	Config             ImageConfig // whole, not merged with the parent's
	Layer              io.Reader   // tar of what the step changed, of any compression; nil: nothing
	CreatedBy, Comment string
	// Before are the commands of steps between the parent and this one that changed the configuration alone and made no image.
	Before  []string
	Author  string
	Created time.Time // zero: now
	// Jail changes xc's part of the parent's configuration, after Config; nil leaves it. It must not keep what it is given.
	Jail func(*imageformat.JailConfig) error
	// Intermediate images carry a build's later steps or wait for a build to come: lists leave them out while they have no
	// name, and only the build cache's prune removes them.
	Intermediate bool
}

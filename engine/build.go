package engine

import (
	"io"
	"time"
)

// BuildRequest asks for an image to be made by a recipe.
type BuildRequest struct {
	ID string // by which the build can be cancelled; may be empty
	// Context is the tar of the files that the recipe may copy, of any compression. It is nil when Remote is set.
	Context io.Reader
	// Remote names the context in place of a tar: a git repository, or a URL of a tar or of a recipe alone.
	Remote     string
	Dockerfile string // path of the recipe in the context; empty is "Dockerfile"
	Format     BuildFormat
	Tags       []string
	Target     string // name or number of the stage to build; empty is the last
	Platform   *Platform
	// Args are the build's arguments; one without a value is as good as not given.
	Args   map[string]*string
	Labels map[string]string

	NoCache   bool
	CacheFrom []string // images whose history serves as cache too; those that are not here do not
	Pull      bool     // ask the registry for base images that are here
	// KeepContainers leaves the containers of steps that succeeded, as containers that have ended.
	KeepContainers bool
	// RemoveFailed removes the container of a step that failed, which stays otherwise, as with dockerd: one can look at what it
	// did. Of a build that was cancelled nothing stays.
	RemoveFailed bool
	// KeepLast makes what there was before a step that fails one of the user's images, without a name.
	KeepLast bool

	// Confined is for a user who is not root: the recipe gets neither the host's network nor what root's ssh keys open.
	Confined bool

	Network   NetworkSpec // of RUN steps
	Resources Resources   // of RUN steps
	Security  Security    // of RUN steps
	Secrets   map[string][]byte
	SSH       map[string]string // host paths of agents' sockets by id
	// Auth are credentials by registry, as clients name them.
	Auth map[string]Credentials
}

// BuildFormat is the language of a recipe.
type BuildFormat string

// The formats. The empty one is a Dockerfile.
const (
	BuildDockerfile BuildFormat = ""
	BuildJailfile   BuildFormat = "jailfile"
)

// BuildEventKind says what a build tells.
type BuildEventKind uint8

// The kinds of build event, with the members of BuildEvent that they set.
const (
	BuildStep     BuildEventKind = iota // a step begins: N, Total, Text
	BuildImage                          // the step's result: Image
	BuildCached                         // the step's result was there
	BuildRunning                        // a container runs for the step: Container
	BuildRemoved                        // and was removed: Container
	BuildOutput                         // it wrote: Data, Stderr
	BuildTriggers                       // N triggers of a base image are run
	BuildResult                         // a stage is done: Image
	BuildDone                           // the build is done: Image
	BuildTagged                         // Text
	BuildWarning                        // Text
	BuildProgress                       // of a pull: Progress
	BuildKept                           // what there was before the step Text, which failed: Image
)

// BuildEvent is one thing that a build tells while it goes on. Data is valid during the call alone.
type BuildEvent struct {
	Kind      BuildEventKind
	N, Total  int
	Text      string
	Image     ImageID
	Container ContainerID
	Stderr    bool
	Data      []byte
	Progress  Progress
}

// BuildFunc takes a build's events as they happen, from one goroutine at a time.
type BuildFunc func(BuildEvent)

// BuildCacheEntry is what is kept of a step that was done: whoever comes to the same step upon the same image with the same
// files need not do it again.
type BuildCacheEntry struct {
	Key         string // 64 hexadecimal digits: everything that the step's result depends on
	Image       ImageID
	Parent      ImageID
	Description string
	Created     time.Time
	LastUsed    time.Time
	Uses        int
}

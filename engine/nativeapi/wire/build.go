package wire

// Build is the part "request" of POST /v1/build. Its part "content" is the tar of the context, of any compression, unless Remote
// is set. The answer is lines of BuildEvent.
type Build struct {
	Tags     []string           `json:"tags,omitempty"`
	File     string             `json:"file,omitempty"`   // of the recipe in the context; empty: Dockerfile
	Format   string             `json:"format,omitempty"` // dockerfile or jailfile; empty: by the file's name
	Remote   string             `json:"remote,omitempty"` // a git repository, or the URL of a tar or of a recipe
	Target   string             `json:"target,omitempty"` // the stage to build; empty: the last
	Platform string             `json:"platform,omitempty"`
	Args     map[string]*string `json:"args,omitempty"`
	Labels   map[string]string  `json:"labels,omitempty"`
	NoCache  bool               `json:"no_cache,omitempty"`
	Pull     bool               `json:"pull,omitempty"` // ask the registry for base images that are here
	Keep     bool               `json:"keep,omitempty"` // the containers of steps
	// CacheFrom are images whose history serves as cache too; those that are not here do not.
	CacheFrom []string `json:"cache_from,omitempty"`
	// Debug: the state before a step that fails becomes an image without a name, which the event "kept" tells.
	Debug bool `json:"debug,omitempty"`

	Network  NetworkWish       `json:"network"`             // of RUN steps
	EmptyDNS bool              `json:"empty_dns,omitempty"` // they have no name servers
	Limits   Limits            `json:"limits"`
	Secrets  map[string][]byte `json:"secrets,omitempty"` // by id
	// SSH are paths on the daemon's host of ssh agents' sockets, by id. Only root may give them.
	SSH map[string]string `json:"ssh,omitempty"`
}

// String keeps secrets out of logs.
func (b Build) String() string { return "build" }

// BuildEvent is one thing that a build tells.
type BuildEvent struct {
	Kind      string    `json:"kind"` // step, image, cached, running, removed, output, triggers, result, done, tagged, warning, progress, kept
	N         int       `json:"n,omitempty"`
	Total     int       `json:"total,omitempty"`
	Text      string    `json:"text,omitempty"`
	Image     string    `json:"image,omitempty"`
	Container string    `json:"container,omitempty"`
	Stderr    bool      `json:"stderr,omitempty"`
	Data      []byte    `json:"data,omitempty"`
	Progress  *Progress `json:"progress,omitempty"`
}

// Channel is the body of POST /v1/channels and DELETE /v1/channels, and an item of GET /v1/channels: a further socket of the
// API, until the daemon ends.
type Channel struct {
	Path string `json:"path"`
}

package imageformat

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// History is one step of an image's making, oldest first in a JailImage.
type History = ocispec.History

// JailImage is an image's configuration: an OCI image config, the keys that Docker adds to it, and xc's extension.
type JailImage struct {
	Created       *time.Time
	Author        string
	Comment       string
	DockerVersion string
	Platform      Platform // as written; see Normalize
	Run           RunConfig
	// Jail is config.xc_extension as it was read, nil when there is none. Most callers want JailConfig, which also
	// converts.
	Jail    *JailConfig
	DiffIDs []digest.Digest // of the layers, bottom first
	History []History       // oldest first
	Extra   Extra           // top-level keys that are not known
}

// RunConfig is what an image says about running it, in Docker's words: the object "config".
type RunConfig struct {
	User         string
	ExposedPorts []string // "80/tcp", sorted
	Env          []string // "K=V"
	Entrypoint   []string
	Cmd          []string
	Volumes      []string // paths, sorted
	WorkingDir   string
	Labels       map[string]string
	StopSignal   string
	StopTimeout  *int // seconds
	Healthcheck  *Healthcheck
	OnBuild      []string
	Shell        []string
	ArgsEscaped  bool
	Extra        Extra // keys of the object that are not known
}

// Healthcheck is Docker's: durations are nanoseconds, zero inherits the default.
type Healthcheck struct {
	Test          []string      `json:",omitempty"`
	Interval      time.Duration `json:",omitempty"`
	Timeout       time.Duration `json:",omitempty"`
	StartPeriod   time.Duration `json:",omitempty"`
	StartInterval time.Duration `json:",omitempty"`
	Retries       int           `json:",omitempty"`
}

// imageJSON and runJSON are how the two objects are written. A nil member is left out.
type imageJSON struct {
	Created       *time.Time      `json:"created,omitempty"`
	Author        string          `json:"author,omitempty"`
	Comment       string          `json:"comment,omitempty"`
	DockerVersion string          `json:"docker_version,omitempty"`
	Architecture  string          `json:"architecture"`
	OS            string          `json:"os"`
	OSVersion     string          `json:"os.version,omitempty"`
	OSFeatures    []string        `json:"os.features,omitempty"`
	Variant       string          `json:"variant,omitempty"`
	Config        json.RawMessage `json:"config,omitempty"`
	RootFS        *rootFSJSON     `json:"rootfs"`
	History       []History       `json:"history,omitempty"`
}

type rootFSJSON struct {
	Type    string          `json:"type"`
	DiffIDs []digest.Digest `json:"diff_ids"`
}

type runJSON struct {
	User         string              `json:"User,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	Env          []string            `json:"Env,omitempty"`
	Entrypoint   words               `json:"Entrypoint,omitempty"`
	Cmd          words               `json:"Cmd,omitempty"`
	Volumes      map[string]struct{} `json:"Volumes,omitempty"`
	WorkingDir   string              `json:"WorkingDir,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
	StopSignal   string              `json:"StopSignal,omitempty"`
	StopTimeout  *int                `json:"StopTimeout,omitempty"`
	Healthcheck  *Healthcheck        `json:"Healthcheck,omitempty"`
	OnBuild      []string            `json:"OnBuild,omitempty"`
	Shell        words               `json:"Shell,omitempty"`
	ArgsEscaped  bool                `json:"ArgsEscaped,omitempty"`
	XC           *JailConfig         `json:"xc_extension,omitempty"`
}

// words is a list of words of which old images wrote a single one as a plain string.
type words []string

// UnmarshalJSON reads a list or one string.
func (w *words) UnmarshalJSON(raw []byte) error {
	var list []string
	err := json.Unmarshal(raw, &list)
	if err == nil {
		*w = list
		return nil
	}
	var one string
	if json.Unmarshal(raw, &one) != nil {
		return err
	}
	*w = words{one}
	return nil
}

// ParseConfig reads an image configuration.
func ParseConfig(raw []byte) (JailImage, error) {
	if len(raw) > MaxDocument {
		return JailImage{}, invalid("config", "%d bytes are more than %d", len(raw), MaxDocument)
	}
	var doc imageJSON
	extra, err := decodeObject(raw, &doc)
	if err != nil {
		return JailImage{}, &Error{Doc: "config", Err: err}
	}
	if doc.RootFS == nil {
		return JailImage{}, invalid("config", "it has no rootfs")
	}
	if t := doc.RootFS.Type; t != "" && t != "layers" {
		return JailImage{}, invalid("config", "rootfs type %q", t)
	}
	if len(doc.RootFS.DiffIDs) > maxLayers {
		return JailImage{}, invalid("config", "%d layers", len(doc.RootFS.DiffIDs))
	}
	for _, d := range doc.RootFS.DiffIDs {
		if _, err := ParseDigest(string(d)); err != nil {
			return JailImage{}, &Error{Doc: "config", Err: err}
		}
	}
	img := JailImage{
		Created: doc.Created, Author: doc.Author, Comment: doc.Comment, DockerVersion: doc.DockerVersion,
		Platform: Platform{
			OS: doc.OS, Architecture: doc.Architecture, Variant: doc.Variant, OSVersion: doc.OSVersion, OSFeatures: doc.OSFeatures,
		},
		DiffIDs: doc.RootFS.DiffIDs, History: doc.History, Extra: extra,
	}
	if len(doc.Config) > 0 {
		if err := img.parseRun(doc.Config); err != nil {
			return JailImage{}, &Error{Doc: "config", Err: err}
		}
	}
	return img, nil
}

func (img *JailImage) parseRun(raw []byte) error {
	var doc runJSON
	extra, err := decodeObject(raw, &doc)
	if err != nil {
		return err
	}
	img.Jail = doc.XC
	img.Run = RunConfig{
		User: doc.User, ExposedPorts: sortedKeys(doc.ExposedPorts), Env: doc.Env, Entrypoint: doc.Entrypoint, Cmd: doc.Cmd,
		Volumes: sortedKeys(doc.Volumes), WorkingDir: doc.WorkingDir, Labels: doc.Labels, StopSignal: doc.StopSignal,
		StopTimeout: doc.StopTimeout, Healthcheck: doc.Healthcheck, OnBuild: doc.OnBuild, Shell: doc.Shell,
		ArgsEscaped: doc.ArgsEscaped, Extra: extra,
	}
	return nil
}

// Marshal writes the configuration. The same value always gives the same bytes.
func (img JailImage) Marshal() ([]byte, error) {
	run, err := encodeObject(runJSON{
		User: img.Run.User, ExposedPorts: keySet(img.Run.ExposedPorts), Env: img.Run.Env, Entrypoint: img.Run.Entrypoint,
		Cmd: img.Run.Cmd, Volumes: keySet(img.Run.Volumes), WorkingDir: img.Run.WorkingDir, Labels: img.Run.Labels,
		StopSignal: img.Run.StopSignal, StopTimeout: img.Run.StopTimeout, Healthcheck: img.Run.Healthcheck,
		OnBuild: img.Run.OnBuild, Shell: img.Run.Shell, ArgsEscaped: img.Run.ArgsEscaped, XC: img.Jail,
	}, img.Run.Extra)
	if err != nil {
		return nil, err
	}
	diffIDs := img.DiffIDs
	if diffIDs == nil {
		diffIDs = []digest.Digest{}
	}
	return encodeObject(imageJSON{
		Created: img.Created, Author: img.Author, Comment: img.Comment, DockerVersion: img.DockerVersion,
		Architecture: img.Platform.Architecture, OS: img.Platform.OS, OSVersion: img.Platform.OSVersion,
		OSFeatures: img.Platform.OSFeatures, Variant: img.Platform.Variant, Config: run,
		RootFS: &rootFSJSON{Type: "layers", DiffIDs: diffIDs}, History: img.History,
	}, img.Extra)
}

func sortedKeys(m map[string]struct{}) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

func keySet(keys []string) map[string]struct{} {
	if len(keys) == 0 {
		return nil
	}
	m := make(map[string]struct{}, len(keys))
	for _, k := range keys {
		m[k] = struct{}{}
	}
	return m
}

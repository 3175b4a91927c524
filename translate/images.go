package translate

//lint:file-ignore SA1019 old clients send and read what is deprecated

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/storage"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/xcengine/xc/engine"
)

// ImageListQuery is the query of an image list as text.
type ImageListQuery struct {
	All, SharedSize, Manifests bool
	Name                       string // the parameter "filter" of versions before 1.41
	Filters                    Filters
}

// ImageQuery reads the query of an image list.
func ImageQuery(l ImageListQuery, v Version, now time.Time) (q engine.ImageQuery, err error) {
	f := l.Filters
	if err := f.Only("before", "dangling", "label", "reference", "since", "until"); err != nil {
		return q, err
	}
	apply(imageQueryRules, v, &l)
	q = engine.ImageQuery{
		All: l.All, SharedSize: l.SharedSize, Manifests: l.Manifests, References: f["reference"], Labels: f.Labels("label"),
		Before: last(f["before"]), Since: last(f["since"]),
	}
	if l.Name != "" {
		q.References = append(slices.Clone(q.References), l.Name)
	}
	if q.Dangling, err = f.Bool("dangling"); err != nil {
		return q, err
	}
	q.Until, err = f.Earliest(now)
	return q, err
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// Images renders an image list.
func Images(list []engine.ImageSummary, v Version) []*image.Summary {
	out := make([]*image.Summary, 0, len(list))
	for _, i := range list {
		s := imageSummary(i)
		apply(imageListRules, v, s)
		out = append(out, s)
	}
	return out
}

func imageSummary(i engine.ImageSummary) *image.Summary {
	return &image.Summary{
		Containers: int64(i.Containers), Created: i.Created.Unix(), ID: string(i.ID), Labels: i.Config.Labels, ParentID: string(i.Parent),
		RepoDigests: i.Digests, RepoTags: i.Tags, SharedSize: i.SharedSize, Size: i.Size, Manifests: imageManifests(i.Image),
	}
}

// imageManifests tells of the manifest that an image came with, as dockerd with containerd's store does. An image here has
// one platform, so there is one at most.
func imageManifests(i engine.Image) []image.ManifestSummary {
	m := i.Manifest
	if m == nil {
		return nil
	}
	platform := ociPlatform(i.Platform)
	data := &image.ImageProperties{Platform: platform, Containers: make([]string, 0, len(m.Containers))}
	data.Size.Unpacked = i.Size
	for _, id := range m.Containers {
		data.Containers = append(data.Containers, string(id))
	}
	out := image.ManifestSummary{
		ID: m.Digest, Available: true, Kind: image.ManifestKindImage, ImageData: data,
		Descriptor: ocispec.Descriptor{MediaType: m.MediaType, Digest: digest.Digest(m.Digest), Size: m.Size, Platform: &platform},
	}
	out.Size.Content, out.Size.Total = m.Content, m.Content+i.Size
	return []image.ManifestSummary{out}
}

func ociPlatform(p engine.Platform) ocispec.Platform {
	return ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}
}

// ImageInspect is the answer to an image's inspect. Its Config shows fields that OCI leaves out when they are empty, as
// clients know them, and stands last, both as with dockerd.
type ImageInspect struct {
	*image.InspectResponse
	Config map[string]any
}

// Image renders an image, with its manifest where that is asked for.
func Image(i engine.Image, manifests bool, v Version) (ImageInspect, error) {
	out := ImageInspect{InspectResponse: &image.InspectResponse{
		ID: string(i.ID), RepoTags: orEmpty(i.Tags), RepoDigests: orEmpty(i.Digests), Parent: string(i.Parent), Comment: i.Comment,
		Author: i.Author, Architecture: i.Platform.Architecture, Variant: i.Platform.Variant,
		Os: i.Platform.OS, OsVersion: i.Platform.OSVersion, Size: i.Size,
		GraphDriver: storage.DriverData{Name: i.Driver, Data: i.Dir}, RootFS: image.RootFS{Type: "layers", Layers: i.Layers},
		Metadata: image.Metadata{LastTagTime: i.LastTagged},
	}}
	if !i.Created.IsZero() {
		out.Created = stamp(i.Created)
	}
	if manifests && !v.Before(1, 48) {
		out.Manifests = imageManifests(i)
	}
	b, err := json.Marshal(dockerImageConfig(i.Config))
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(b, &out.Config); err != nil {
		return out, err
	}
	apply(imageInspectRules, v, &out)
	return out, nil
}

// show adds fields that are shown also when they are empty.
func (i *ImageInspect) show(empty map[string]any) {
	shown := maps.Clone(empty)
	maps.Copy(shown, i.Config)
	i.Config = shown
}

func dockerImageConfig(c engine.ImageConfig) dockerspec.DockerOCIImageConfig {
	var out dockerspec.DockerOCIImageConfig
	out.ImageConfig = ocispec.ImageConfig{
		User: c.Process.User, Env: c.Process.Env, Entrypoint: c.Process.Entrypoint, Cmd: c.Process.Cmd, WorkingDir: c.Process.WorkDir,
		Labels: c.Labels, StopSignal: c.StopSignal, ArgsEscaped: c.ArgsEscaped,
	}
	for _, p := range c.ExposedPorts {
		if out.ExposedPorts == nil {
			out.ExposedPorts = map[string]struct{}{}
		}
		out.ExposedPorts[string(natPort(p))] = struct{}{}
	}
	for _, path := range c.VolumePaths {
		if out.Volumes == nil {
			out.Volumes = map[string]struct{}{}
		}
		out.Volumes[path] = struct{}{}
	}
	out.Healthcheck, out.OnBuild, out.Shell = DockerHealth(c.Health), c.OnBuild, c.Shell
	return out
}

// imageConfig reads the configuration that a commit asks for; nil when it asks for none.
func imageConfig(c *container.Config) (*engine.ImageConfig, error) {
	if c == nil {
		return nil, nil
	}
	s := specOfConfig(c)
	ports, err := exposedPorts(c.ExposedPorts)
	if err != nil {
		return nil, err
	}
	out := &engine.ImageConfig{
		Process: s.Process, ExposedPorts: ports, VolumePaths: s.VolumePaths, Labels: s.Labels, StopSignal: s.StopSignal,
		StopTimeout: s.StopTimeout, Health: s.Health, Shell: s.Shell, OnBuild: s.OnBuild,
	}
	out.Process.TTY = false
	if emptyConfig(out) {
		return nil, nil
	}
	return out, nil
}

func emptyConfig(c *engine.ImageConfig) bool {
	p := c.Process
	return p.User+p.WorkDir+c.StopSignal == "" && c.Health == nil && c.StopTimeout == nil &&
		len(p.Env)+len(p.Cmd)+len(p.Entrypoint)+len(c.ExposedPorts)+len(c.VolumePaths)+len(c.Labels)+len(c.Shell)+len(c.OnBuild) == 0
}

// ImageHistory renders an image's history. Steps whose images are not here are "<missing>".
func ImageHistory(list []engine.HistoryEntry) []*image.HistoryResponseItem {
	out := make([]*image.HistoryResponseItem, 0, len(list))
	for _, h := range list {
		id := string(h.ID)
		if id == "" {
			id = "<missing>"
		}
		out = append(out, &image.HistoryResponseItem{
			Comment: h.Comment, Created: h.Created.Unix(), CreatedBy: h.CreatedBy, ID: id, Size: h.Size, Tags: h.Tags,
		})
	}
	return out
}

// ImagesDeleted answers the removal of an image.
func ImagesDeleted(list []engine.ImageDeleted) []image.DeleteResponse {
	out := make([]image.DeleteResponse, 0, len(list))
	for _, d := range list {
		out = append(out, image.DeleteResponse{Deleted: d.Deleted, Untagged: d.Untagged})
	}
	return out
}

// CheckImageName refuses the blank name of an image that is to be removed.
func CheckImageName(name string) error {
	if strings.TrimSpace(name) == "" {
		return invalidf("image name cannot be blank")
	}
	return nil
}

// ImagePrune reads the filters of an image prune: those without a tag, unless dangling is false.
func ImagePrune(f Filters, now time.Time) (engine.PruneQuery, error) {
	if err := f.Only("dangling", "label", "label!", "until"); err != nil {
		return engine.PruneQuery{}, err
	}
	q := engine.PruneQuery{Labels: f.Labels("label"), NotLabels: f.Labels("label!")}
	dangling, err := f.Bool("dangling")
	if err != nil {
		return q, err
	}
	q.All = dangling != nil && !*dangling
	q.Until, err = f.Until(now)
	return q, err
}

// ImagesPruned answers an image prune.
func ImagesPruned(list []engine.ImageDeleted, reclaimed int64) image.PruneReport {
	r := image.PruneReport{SpaceReclaimed: uint64(max(reclaimed, 0))}
	if len(list) > 0 {
		r.ImagesDeleted = ImagesDeleted(list)
	}
	return r
}

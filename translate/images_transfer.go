package translate

//lint:file-ignore SA1019 old clients send and read what is deprecated

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/xcengine/xc/engine"
)

// PullQuery is the query of a pull as text.
type PullQuery struct {
	Image, Tag, Platform string
	Auth                 engine.Credentials
}

// Pull reads a pull. A name without tag and digest asks for every tag.
func Pull(p PullQuery, v Version, host Host) (engine.PullRequest, error) {
	req := engine.PullRequest{Auth: p.Auth}
	var err error
	if req.Platform, err = wordPlatform(p.Platform, v, host); err != nil {
		return req, err
	}
	// A client that wants every tag may say so with a colon at the end.
	ref, err := reference.ParseNormalizedNamed(strings.TrimSuffix(p.Image, ":"))
	if err != nil {
		return req, invalidf("%w", err)
	}
	if p.Tag != "" {
		if ref, err = withTagOrDigest(ref, p.Tag); err != nil {
			return req, invalidf("%w", err)
		}
	}
	if name := reference.FamiliarName(ref); name == "scratch" {
		return req, refusef(engine.Forbidden, "'%s' is a reserved name", name)
	}
	req.Ref, req.All = ref.String(), reference.IsNameOnly(ref)
	return req, nil
}

func withTagOrDigest(ref reference.Named, tag string) (reference.Named, error) {
	if d, err := digest.Parse(tag); err == nil {
		return reference.WithDigest(reference.TrimNamed(ref), d)
	}
	return reference.WithTag(ref, tag)
}

// wordPlatform reads a platform written as words with slashes; nil for "".
func wordPlatform(s string, v Version, host Host) (*engine.Platform, error) {
	if s == "" || v.Before(1, 32) {
		return nil, nil
	}
	return Platform(s, host)
}

// JSONPlatform reads platforms written as JSON, as parameters of newer operations are; nil when there is none. More than one
// is refused.
func JSONPlatform(params []string, since, v Version) (*engine.Platform, error) {
	if v.Before(since.Major, since.Minor) || len(params) == 0 || len(params) == 1 && params[0] == "" {
		return nil, nil
	}
	if len(params) > 1 {
		return nil, invalidf("multiple platform parameters not supported")
	}
	return jsonPlatform(params[0])
}

func jsonPlatform(text string) (*engine.Platform, error) {
	var p ocispec.Platform
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, invalidf("failed to parse platform: %w", err)
	}
	switch optional := p.Variant != "" || p.OSVersion != "" || len(p.OSFeatures) > 0; {
	case p.OS == "" && p.Architecture == "" && optional:
		return nil, invalidf("optional platform fields provided, but OS and Architecture are missing")
	case p.OS == "" || p.Architecture == "":
		return nil, invalidf("both OS and Architecture must be provided")
	}
	return &engine.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}, nil
}

// Push reads a push. A name without a tag asks for every tag of the repository.
func Push(name, tag string, platforms []string, auth engine.Credentials, v Version) (engine.PushRequest, error) {
	req := engine.PushRequest{Auth: auth}
	var ref reference.Named
	var err error
	if tag != "" {
		ref, err = repoTag(name, tag)
	} else {
		ref, err = reference.ParseNormalizedNamed(name)
	}
	if err != nil {
		return req, invalidf("%w", err)
	}
	if req.Platform, err = JSONPlatform(platforms, Version{1, 46}, v); err != nil {
		return req, err
	}
	req.Ref, req.All = reference.FamiliarString(ref), reference.IsNameOnly(ref)
	return req, nil
}

// repoTag joins a repository and a tag; without a tag it is "latest". The repository must not be empty.
func repoTag(repo, tag string) (reference.NamedTagged, error) {
	ref, err := reference.ParseNormalizedNamed(repo)
	if err != nil {
		return nil, err
	}
	if _, digested := ref.(reference.Digested); digested {
		return nil, refusef(engine.Invalid, "cannot import digest reference")
	}
	if tag != "" {
		return reference.WithTag(ref, tag)
	}
	return reference.TagNameOnly(ref).(reference.NamedTagged), nil
}

// Target reads the name that an image is to get; "" when none is given.
func Target(repo, tag string) (string, error) {
	if repo == "" {
		return "", nil
	}
	ref, err := repoTag(repo, tag)
	if err != nil {
		return "", invalidf("%w", err)
	}
	return reference.FamiliarString(ref), nil
}

// TagTarget is Target for an image that is to be tagged, which cannot be called like a digest.
func TagTarget(repo, tag string) (string, error) {
	target, err := Target(repo, tag)
	if err == nil && strings.HasPrefix(target, string(digest.Canonical)+":") {
		return "", invalidf("refusing to create an ambiguous tag using digest algorithm as name")
	}
	return target, err
}

// ImportQuery is the query of an import as text.
type ImportQuery struct {
	Repo, Tag, Message, Source, Platform string
	Changes                              []string
}

// Import reads an import.
func Import(i ImportQuery, v Version, host Host) (engine.ImportRequest, error) {
	req := engine.ImportRequest{Message: i.Message, Changes: i.Changes}
	if req.Message == "" {
		req.Message = "Imported from " + i.Source
	}
	var err error
	if req.Platform, err = wordPlatform(i.Platform, v, host); err != nil {
		return req, err
	}
	if p := req.Platform; p != nil && p.OS != "linux" && p.OS != "freebsd" {
		return req, invalidf("operating system is not supported")
	}
	req.Ref, err = Target(i.Repo, i.Tag)
	return req, err
}

// CommitQuery is the query of a commit as text.
type CommitQuery struct {
	Container, Repo, Tag, Comment, Author string
	Pause                                 bool
	Changes                               []string
}

// Commit reads a commit; body may be nil.
func Commit(q CommitQuery, body *container.Config) (engine.CommitRequest, error) {
	req := engine.CommitRequest{Container: q.Container, Comment: q.Comment, Author: q.Author, Pause: q.Pause, Changes: q.Changes}
	var err error
	if req.Ref, err = Target(q.Repo, q.Tag); err != nil {
		return req, err
	}
	if err := CheckRef(q.Container); err != nil {
		return req, err
	}
	req.Config, err = imageConfig(body)
	return req, err
}

// Committed answers a commit.
func Committed(id engine.ImageID) container.CommitResponse {
	return container.CommitResponse{ID: string(id)}
}

const (
	searchDefault = 25
	searchMax     = 100
)

// SearchLimit reads how many results a search wants.
func SearchLimit(s string) (int, error) {
	if s == "" {
		return searchDefault, nil
	}
	n, err := strconv.Atoi(s)
	switch {
	case err != nil:
		return 0, invalidf("invalid limit specified: %w", err)
	case n == 0:
		return searchDefault, nil
	case n < 0 || n > searchMax:
		return 0, invalidf("limit %d is outside the range of [1, %d]", n, searchMax)
	}
	return n, nil
}

// A SearchFilter chooses among the results of a search.
type SearchFilter struct {
	official, automated *bool
	stars               int
}

// SearchFilters reads the filters of a search.
func SearchFilters(f Filters) (s SearchFilter, err error) {
	if err := f.Only("is-automated", "is-official", "stars"); err != nil {
		return s, err
	}
	if s.automated, err = f.Bool("is-automated"); err != nil {
		return s, err
	}
	if s.official, err = f.Bool("is-official"); err != nil {
		return s, err
	}
	for _, v := range f["stars"] {
		n, err := strconv.Atoi(v)
		if err != nil {
			return s, invalidf("invalid filter 'stars=%s': %w", v, err)
		}
		s.stars = max(s.stars, n)
	}
	return s, nil
}

// SearchResults renders the hits that the filter lets pass.
func SearchResults(list []engine.SearchResult, f SearchFilter) []registry.SearchResult {
	out := make([]registry.SearchResult, 0, len(list))
	for _, r := range list {
		if r.Stars < f.stars || f.official != nil && *f.official != r.Official || f.automated != nil && *f.automated != r.Automated {
			continue
		}
		out = append(out, registry.SearchResult{
			StarCount: r.Stars, IsOfficial: r.Official, Name: r.Name, IsAutomated: r.Automated, Description: r.Description,
		})
	}
	return out
}

// DistributionRef reads the name of an image in a registry.
func DistributionRef(name string) (string, error) {
	ref, err := reference.ParseAnyReference(name)
	if err != nil {
		return "", invalidf("%w", err)
	}
	named, ok := ref.(reference.Named)
	if !ok {
		return "", faultf("no manifest found for full image ID")
	}
	return reference.TagNameOnly(named).String(), nil
}

// Distribution renders what a registry holds.
func Distribution(d engine.Distribution) registry.DistributionInspect {
	out := registry.DistributionInspect{Descriptor: ocispec.Descriptor{MediaType: d.MediaType, Digest: digest.Digest(d.Digest), Size: d.Size}}
	for _, p := range d.Platforms {
		out.Platforms = append(out.Platforms, ociPlatform(p))
	}
	return out
}

// PlatformSince is the version from which a platform may be named as JSON in save, load and history.
var PlatformSince = Version{1, 48}

// InspectPlatform reads which platform of an image to show; the list of manifests rules it out.
func InspectPlatform(params []string, manifests bool, v Version) (*engine.Platform, error) {
	p, err := JSONPlatform(params, Version{1, 49}, v)
	if err == nil && p != nil && manifests {
		return nil, invalidf("conflicting options: manifests and platform options cannot both be set")
	}
	return p, err
}

// RemovePlatforms reads which platforms' images are to be removed; none means whatever the name stands for. Docker's API documents
// several, which its own store of one platform an image refuses.
func RemovePlatforms(params []string, v Version) (all []engine.Platform, err error) {
	if v.Before(1, 50) {
		return nil, nil
	}
	for _, text := range params {
		p, err := jsonPlatform(text)
		if err != nil {
			return nil, err
		}
		all = append(all, *p)
	}
	return all, nil
}

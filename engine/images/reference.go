package images

import (
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// said is an error in the words that Docker's clients know.
type said string

// Error returns the words.
func (s said) Error() string { return string(s) }

func saidf(format string, args ...any) error { return said(fmt.Sprintf(format, args...)) }

func imageError(op string, kind engine.Kind, id string, err error) *engine.Error {
	return &engine.Error{Op: op, Kind: kind, Resource: engine.ResourceImage, ID: id, Err: err}
}

// target is what a user's words may name: an image by its digest, or a name, which may also be the start of an id.
type target struct {
	raw    string
	id     digest.Digest   // set when the words are a digest
	name   reference.Named // else; without a tag it means "latest"
	prefix string          // hexadecimal digits that an id may begin with
}

func parseTarget(op, ref string) (target, error) {
	parsed, err := reference.ParseAnyReference(ref)
	if err != nil {
		return target{}, imageError(op, engine.Invalid, ref, err)
	}
	t := target{raw: ref}
	if hex := strings.TrimPrefix(ref, "sha256:"); hex != "" && strings.Trim(hex, "0123456789abcdef") == "" {
		t.prefix = hex
	}
	named, ok := parsed.(reference.Named)
	if !ok {
		t.id = parsed.(reference.Digested).Digest()
		return t, nil
	}
	t.name = nameKey(named)
	return t, nil
}

// nameKey is how a name is kept: with a tag, "latest" when it has none, or with a digest and then without a tag.
func nameKey(named reference.Named) reference.Named {
	if canonical, ok := named.(reference.Canonical); ok {
		if bare, err := reference.WithDigest(reference.TrimNamed(named), canonical.Digest()); err == nil {
			return bare
		}
	}
	return reference.TagNameOnly(named)
}

// familiar is how the target is told in an error.
func (t target) familiar() string {
	if t.name != nil {
		return reference.FamiliarString(t.name)
	}
	return t.raw
}

func (t target) notFound(op string) error {
	return imageError(op, engine.NotFound, t.familiar(), nil)
}

// parseName reads a name that is to be given to an image: with a tag, or with none, which means "latest".
func parseName(op, ref string) (reference.NamedTagged, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, imageError(op, engine.Invalid, ref, err)
	}
	if _, ok := named.(reference.Canonical); ok {
		return nil, imageError(op, engine.Invalid, ref, errors.New("refusing to create a tag with a digest reference"))
	}
	if reference.FamiliarName(named) == string(digest.Canonical) {
		return nil, imageError(op, engine.Invalid, ref, errors.New("refusing to create an ambiguous tag using digest algorithm as name"))
	}
	return reference.TagNameOnly(named).(reference.NamedTagged), nil
}

// parseRemote reads what a pull, push or look at a registry names. A name without a tag stays so.
func parseRemote(op, ref string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, imageError(op, engine.Invalid, ref, err)
	}
	if reference.FamiliarName(named) == "scratch" {
		return nil, imageError(op, engine.Forbidden, ref, errors.New("'scratch' is a reserved name"))
	}
	return named, nil
}

// keptName reads a name out of the store, which wrote it.
func keptName(name string) (reference.Named, bool) {
	named, err := reference.ParseNormalizedNamed(name)
	return named, err == nil
}

func isDigestName(name string) bool { return strings.Contains(name, "@") }

// repositoryOf is a kept name without its tag or digest.
func repositoryOf(name string) string {
	if repo, _, ok := strings.Cut(name, "@"); ok {
		return repo
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i]
	}
	return name
}

func familiarName(name string) string {
	if named, ok := keptName(name); ok {
		return reference.FamiliarString(named)
	}
	return name
}

// wanted lists the platforms that are good for a request, best first.
func (s *Service) wanted(p *engine.Platform) []imageformat.Platform {
	if p == nil {
		return imageformat.Preference(formatPlatform(s.cfg.Host))
	}
	return imageformat.Wanted(formatPlatform(*p))
}

func formatPlatform(p engine.Platform) imageformat.Platform {
	return imageformat.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}
}

func enginePlatform(p imageformat.Platform) engine.Platform {
	return engine.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}
}

// rank says how well an image's platform serves, lower is better, negative not at all. A config that states no variant
// serves every variant: many state none.
func rank(want []imageformat.Platform, p engine.Platform) int {
	if r := imageformat.Rank(want, formatPlatform(p)); r >= 0 || p.Variant != "" {
		return r
	}
	n := imageformat.Normalize(formatPlatform(p))
	for i, w := range want {
		if w.OS == n.OS && w.Architecture == n.Architecture {
			return i
		}
	}
	return -1
}

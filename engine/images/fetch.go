package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// document is a manifest, index or config with what is known of it.
type document struct {
	desc imageformat.Descriptor
	raw  []byte
}

// found is one image at a registry: its documents, verified and parsed, nothing of it kept yet.
type found struct {
	top      digest.Digest // what the tag names: the manifest, or the index above it
	index    *document     // the outermost index, if there is one
	doc      document      // the manifest
	manifest imageformat.Manifest
	config   document
	image    imageformat.JailImage
}

const maxIndexes = 4 // that name each other on the way to a manifest

// fetcher reads documents of one repository, from what is kept where it can.
type fetcher struct {
	s      *Service
	remote engine.Remote
	want   []imageformat.Platform
	wish   *engine.Platform // what the user asked for; nil is nothing
}

// resolve finds the image that a tag or digest names, without its layers.
func (f fetcher) resolve(ctx context.Context, ref string) (found, error) {
	m, err := f.s.cfg.Registry.Resolve(ctx, f.remote, ref)
	if err != nil {
		return found{}, err
	}
	top, err := f.body(ctx, m)
	if err != nil {
		return found{}, err
	}
	out := found{top: top.desc.Digest}
	if imageformat.IsIndex(top.desc.MediaType) {
		out.index = &top
		return out, f.choose(ctx, &out, top, 1)
	}
	if err := f.take(ctx, &out, top); err != nil {
		return found{}, err
	}
	return out, f.checkSystem(out)
}

// body completes what Resolve told.
func (f fetcher) body(ctx context.Context, m engine.RemoteManifest) (document, error) {
	d, err := imageformat.ParseDigest(m.Digest)
	if err != nil {
		return document{}, err
	}
	raw := m.Body
	if raw == nil && m.Size <= imageformat.MaxDocument {
		// A document that is kept need not be fetched again.
		if kept, err := f.s.document(d); err == nil {
			raw = kept
		}
	}
	if raw == nil {
		if m, err = f.s.cfg.Registry.Manifest(ctx, f.remote, m.Digest); err != nil {
			return document{}, err
		}
		raw = m.Body
	}
	mt, err := imageformat.DetectMediaType(raw, m.MediaType)
	if err != nil {
		return document{}, err
	}
	return document{imageformat.Descriptor{MediaType: mt, Digest: d, Size: int64(len(raw))}, raw}, nil
}

// choose goes through the manifests of an index, the best platform first, to the first one that is an image.
func (f fetcher) choose(ctx context.Context, out *found, doc document, depth int) error {
	index, err := imageformat.ParseIndex(doc.desc.MediaType, doc.raw)
	if err != nil {
		return err
	}
	if depth > maxIndexes {
		return imageError("", engine.Invalid, "", errors.New("indexes name each other too deeply"))
	}
	for _, d := range index.Select(f.want) {
		child, err := f.body(ctx, engine.RemoteManifest{MediaType: d.MediaType, Digest: d.Digest.String(), Size: d.Size})
		if err != nil {
			return err
		}
		if imageformat.IsIndex(child.desc.MediaType) {
			if err = f.choose(ctx, out, child, depth+1); !engine.HasReason(err, engine.ReasonNoPlatform) {
				return err
			}
			continue
		}
		if m, err := imageformat.ParseManifest(child.desc.MediaType, child.raw); err != nil || !m.IsImage() {
			continue // an attestation, or something newer than this program
		}
		if err := f.take(ctx, out, child); err != nil {
			return err
		}
		if d.Platform == nil && rank(f.want, enginePlatform(out.image.Platform)) < 0 {
			continue // only its config could tell
		}
		return nil
	}
	e := imageError("", engine.NotFound, "", saidf("no matching manifest for %s in the manifest list entries", imageformat.FormatPlatform(f.want[0])))
	e.Reason, e.Args = engine.ReasonNoPlatform, []string{imageformat.FormatPlatform(f.want[0])}
	return e
}

// take reads a manifest and its config.
func (f fetcher) take(ctx context.Context, out *found, doc document) error {
	m, err := imageformat.ParseManifest(doc.desc.MediaType, doc.raw)
	if err != nil {
		return err
	}
	if !m.IsImage() {
		return artifact(m)
	}
	raw, err := f.config(ctx, m.Config)
	if err != nil {
		return fmt.Errorf("error pulling image configuration: %w", err)
	}
	img, err := imageformat.ParseConfig(raw)
	if err != nil {
		return err
	}
	if len(img.DiffIDs) != len(m.Layers) {
		return imageError("", engine.Invalid, "", errors.New("layers from manifest don't match image configuration"))
	}
	out.doc, out.manifest, out.config, out.image = doc, m, document{m.Config, raw}, img
	return nil
}

// artifact says what a manifest is that is no image.
func artifact(m imageformat.Manifest) error {
	kind := m.ArtifactType
	if kind == "" {
		kind = m.Config.MediaType
	}
	for _, l := range m.Layers {
		if imageformat.IsConfig(m.Config.MediaType) && !imageformat.IsLayer(l.MediaType) {
			kind = l.MediaType
		}
	}
	return imageError("", engine.Invalid, "", saidf("Encountered remote %q(unknown) when fetching: it is not a container image", kind))
}

// checkSystem refuses an image for a system that this host does not run, unless it was asked for: without an index nobody
// has chosen yet.
func (f fetcher) checkSystem(out found) error {
	system := imageformat.Normalize(out.image.Platform).OS
	if f.wish != nil || system == "" || slices.ContainsFunc(f.want, func(p imageformat.Platform) bool { return p.OS == system }) {
		return nil
	}
	return imageError("", engine.Invalid, "", saidf("image operating system %q cannot be used on this platform", system))
}

const configTries = 5

// config reads a config blob, which is small.
func (f fetcher) config(ctx context.Context, d imageformat.Descriptor) ([]byte, error) {
	if kept, err := f.s.document(d.Digest); err == nil {
		return kept, nil
	}
	if d.Size > imageformat.MaxDocument {
		return nil, imageError("", engine.Invalid, "", fmt.Errorf("the configuration has %d bytes", d.Size))
	}
	delay := 250 * time.Millisecond
	for try := 1; ; try++ {
		raw, err := f.configOnce(ctx, d)
		if err == nil || try == configTries || ctx.Err() != nil || !retryable(err) {
			return raw, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(delay):
		}
		delay *= 2
	}
}

func (f fetcher) configOnce(ctx context.Context, d imageformat.Descriptor) ([]byte, error) {
	blob, err := f.s.cfg.Registry.Blob(ctx, f.remote, d.Digest.String(), d.Size, 0)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	raw, err := io.ReadAll(io.LimitReader(blob, d.Size+1))
	if err != nil {
		return nil, again(err)
	}
	if got := d.Digest.Algorithm().FromBytes(raw); got != d.Digest {
		return nil, imageError("", engine.Invalid, "", fmt.Errorf("image config verification failed for digest %s: got %s", d.Digest, got))
	}
	return raw, nil
}

// Distribution tells what a registry has under a name.
func (s *Service) Distribution(ctx context.Context, ref string, auth engine.Credentials) (engine.Distribution, error) {
	any, err := reference.ParseAnyReference(ref)
	if err != nil {
		return engine.Distribution{}, imageError("inspect", engine.Invalid, ref, err)
	}
	named, ok := any.(reference.Named)
	if !ok {
		return engine.Distribution{}, imageError("inspect", engine.Invalid, ref, errors.New("no manifest found for full image ID"))
	}
	f := fetcher{s: s, remote: engine.Remote{Repository: named.Name(), Auth: auth}}
	d, err := f.describe(ctx, remoteRef(nameKey(named)))
	return d, wrap("inspect", ref, err)
}

func (f fetcher) describe(ctx context.Context, ref string) (engine.Distribution, error) {
	m, err := f.s.cfg.Registry.Resolve(ctx, f.remote, ref)
	if err != nil {
		return engine.Distribution{}, err
	}
	doc, err := f.body(ctx, m)
	if err != nil {
		return engine.Distribution{}, err
	}
	out := engine.Distribution{MediaType: doc.desc.MediaType, Digest: doc.desc.Digest.String(), Size: doc.desc.Size}
	if imageformat.IsIndex(doc.desc.MediaType) {
		index, err := imageformat.ParseIndex(doc.desc.MediaType, doc.raw)
		for _, d := range index.Manifests {
			if d.Platform != nil {
				out.Platforms = append(out.Platforms, enginePlatform(*d.Platform))
			}
		}
		return out, err
	}
	manifest, err := imageformat.ParseManifest(doc.desc.MediaType, doc.raw)
	if err != nil || !imageformat.IsConfig(manifest.Config.MediaType) {
		return out, err
	}
	// Docker leaves the platform out when the config cannot be had.
	if raw, err := f.config(ctx, manifest.Config); err == nil {
		if img, err := imageformat.ParseConfig(raw); err == nil && (img.Platform.OS != "" || img.Platform.Architecture != "") {
			out.Platforms = []engine.Platform{enginePlatform(img.Platform)}
		}
	}
	return out, nil
}

// remoteRef is what a registry is asked for: the digest, or the tag.
func remoteRef(named reference.Named) string {
	switch n := named.(type) {
	case reference.Canonical:
		return n.Digest().String()
	case reference.Tagged:
		return n.Tag()
	}
	return "latest"
}

// Search asks a registry's index.
func (s *Service) Search(ctx context.Context, term string, limit int, auth engine.Credentials) ([]engine.SearchResult, error) {
	return s.cfg.Registry.Search(ctx, term, limit, auth)
}

// Login checks credentials against their registry. They are not kept.
func (s *Service) Login(ctx context.Context, c engine.Credentials) (string, error) {
	return s.cfg.Registry.Login(ctx, c)
}

package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/archive"
)

// selected is an image to save and the names under which it is asked for.
type selected struct {
	e     *entry
	names []archive.Name
	also  []archive.Name // that it has beside an image for another platform
}

// selection gathers what is to be saved, each image once, in the order in which it is named.
type selection struct {
	all []selected
	at  map[engine.ImageID]int
}

func (x *selection) add(e *entry, name reference.Named) {
	img := x.image(e)
	if n, ok := archiveName(name); ok && !slices.Contains(img.names, n) {
		img.names = append(img.names, n)
	}
}

// addBeside adds the images that have a name of e's for other platforms.
func (x *selection) addBeside(s *Service, e *entry, name reference.Named) {
	n, ok := archiveName(name)
	if !ok {
		return
	}
	for _, other := range s.index.named(name.String()) {
		if other.rec.ID == e.rec.ID {
			continue
		}
		if img := x.image(other); !slices.Contains(img.also, n) {
			img.also = append(img.also, n)
		}
	}
}

func (x *selection) image(e *entry) *selected {
	i, ok := x.at[e.rec.ID]
	if !ok {
		i = len(x.all)
		x.at[e.rec.ID] = i
		x.all = append(x.all, selected{e: e})
	}
	return &x.all[i]
}

// archiveName is a name as an archive has it; an image that is named by its digest has none.
func archiveName(name reference.Named) (archive.Name, bool) {
	if name == nil || isDigestName(name.String()) {
		return archive.Name{}, false
	}
	return archive.Name{Familiar: reference.FamiliarString(name), Full: name.String()}, true
}

// selectImages resolves what is to be saved. A name without a tag is all tags of its repository; without a platform, a name is the
// images of all platforms that are here, the preferred one first.
func (s *Service) selectImages(refs []string, platform *engine.Platform) ([]selected, error) {
	x := selection{at: map[engine.ImageID]int{}}
	add := func(e *entry, name reference.Named) {
		x.add(e, name)
		if platform == nil {
			x.addBeside(s, e, name)
		}
	}
	for _, ref := range refs {
		if named, err := reference.ParseNormalizedNamed(ref); err == nil && reference.IsNameOnly(named) {
			if tags := s.tagsIn(named.Name()); len(tags) > 0 {
				for _, tag := range tags {
					if e, err := s.find("save", tag.String(), platform); err == nil {
						add(e, tag)
					}
				}
				continue
			}
		}
		e, err := s.find("save", ref, platform)
		if err != nil {
			return nil, asGiven(err, ref)
		}
		t, err := parseTarget("save", ref)
		if err != nil {
			return nil, err
		}
		if t.name != nil && len(s.index.named(t.name.String())) == 0 {
			t.name = nil // the words were the beginning of an id
		}
		add(e, t.name)
	}
	return x.all, nil
}

// asGiven tells that an image is not there by the words that it was asked for with: a name without a tag meant all tags.
func asGiven(err error, ref string) error {
	var e *engine.Error
	if errors.As(err, &e) && e.Kind == engine.NotFound && e.Reason == engine.ReasonNone {
		named := *e
		named.ID = ref
		return &named
	}
	return err
}

// tagsIn returns the tags of a repository that mean an image here, sorted.
func (s *Service) tagsIn(repo string) []reference.NamedTagged {
	var names []string
	s.index.view(func() {
		for name := range s.index.names {
			if repositoryOf(name) == repo && !isDigestName(name) {
				names = append(names, name)
			}
		}
	})
	slices.Sort(names)
	var tags []reference.NamedTagged
	for _, n := range names {
		if named, ok := keptName(n); ok {
			if tagged, ok := named.(reference.NamedTagged); ok {
				tags = append(tags, tagged)
			}
		}
	}
	return tags
}

// CanSave reports what is wrong with the names before the first byte is written.
func (s *Service) CanSave(_ context.Context, refs []string, platform *engine.Platform) error {
	_, err := s.selectImages(refs, platform)
	return err
}

// Save writes images as one tar in both layouts, as dockerd 28 does. An image that came with a manifest is written with it
// and with the layers that the manifest names, so that it has the same digest wherever it is loaded.
func (s *Service) Save(ctx context.Context, refs []string, platform *engine.Platform, w io.Writer) error {
	all, err := s.selectImages(refs, platform)
	if err != nil {
		return err
	}
	held := s.holds.lease()
	defer held.end()
	saved := map[engine.ImageID]bool{}
	for _, img := range all {
		saved[img.e.rec.ID] = true
	}
	var exports []archive.Export
	for _, img := range all {
		x, err := s.export(ctx, held, img.e)
		if err != nil {
			return wrap("save", string(img.e.rec.ID), err)
		}
		x.Names, x.Also = img.names, img.also
		if saved[img.e.rec.Parent] {
			x.Parent = string(img.e.rec.Parent)
		}
		exports = append(exports, x)
	}
	if err := archive.Write(ctx, w, exports); err != nil {
		return wrap("save", "", err)
	}
	for _, img := range all {
		s.publish("save", string(img.e.rec.ID), string(img.e.rec.ID), img.e)
	}
	return nil
}

// export gathers an image's documents and opens the way to its layers, which stay held.
func (s *Service) export(ctx context.Context, held *lease, e *entry) (archive.Export, error) {
	if err := held.hold(ctx, blobKey(digest.Digest(e.rec.ID))); err != nil {
		return archive.Export{}, err
	}
	config, err := s.document(digest.Digest(e.rec.ID))
	if err != nil {
		return archive.Export{}, err
	}
	x := archive.Export{Config: config, Created: e.img.Created}
	for _, m := range e.rec.Manifests {
		if layers, raw, ok := s.keptManifest(ctx, held, m); ok {
			x.Manifest, x.ManifestMediaType = raw, m.MediaType
			if index := digest.Digest(m.Index); index != "" && held.hold(ctx, blobKey(index)) == nil {
				x.Index, _ = s.document(index) // nil when it is not kept
			}
			for _, d := range layers {
				x.Layers = append(x.Layers, s.content(d))
			}
			return x, nil
		}
	}
	for i := range e.diffIDs {
		b, err := s.layerBlob(ctx, held, e, i)
		if err != nil {
			return archive.Export{}, err
		}
		x.Layers = append(x.Layers, s.content(imageformat.Descriptor{MediaType: b.MediaType, Digest: digest.Digest(b.Digest), Size: b.Size}))
	}
	return x, nil
}

// keptManifest reads a manifest all of whose layers are kept, and holds them.
func (s *Service) keptManifest(ctx context.Context, held *lease, m engine.ManifestRecord) ([]imageformat.Descriptor, []byte, bool) {
	d := digest.Digest(m.Digest)
	if held.hold(ctx, blobKey(d)) != nil {
		return nil, nil, false
	}
	raw, err := s.document(d)
	if err != nil {
		return nil, nil, false
	}
	manifest, err := imageformat.ParseManifest(m.MediaType, raw)
	if err != nil {
		return nil, nil, false
	}
	for _, l := range manifest.Layers {
		if held.hold(ctx, blobKey(l.Digest)) != nil || !s.blobs.has(l.Digest) {
			return nil, nil, false
		}
	}
	return manifest.Layers, raw, true
}

// layerBlob returns a kept blob of an image's layer, and makes one of the extracted layer where there is none.
func (s *Service) layerBlob(ctx context.Context, held *lease, e *entry, i int) (engine.BlobRecord, error) {
	for _, b := range s.index.withDiff(e.diffIDs[i]) {
		if err := held.hold(ctx, blobKey(digest.Digest(b.Digest))); err != nil {
			return b, err
		}
		if s.blobs.has(digest.Digest(b.Digest)) {
			return b, nil
		}
	}
	return s.rebuild(ctx, held, e.chain[i], e.diffIDs[i])
}

// rebuild makes the blob of an extracted layer anew: an image that was loaded while another layer store had its blobs.
func (s *Service) rebuild(ctx context.Context, held *lease, id engine.LayerID, diffID digest.Digest) (engine.BlobRecord, error) {
	r, err := s.cfg.Layers.Diff(ctx, id)
	if err != nil {
		return engine.BlobRecord{}, err
	}
	defer r.Close()
	f, err := s.blobs.spool(ctx, r)
	if err != nil {
		return engine.BlobRecord{}, err
	}
	defer f.discard()
	if f.digest != diffID {
		return engine.BlobRecord{}, fmt.Errorf("layer %s cannot be written as it was: its files make %s", diffID, f.digest)
	}
	l := localLayer{path: f.path, digest: f.digest, diffID: diffID, size: f.size, mediaType: imageformat.OCILayer}
	return l.record(), s.keepBlob(ctx, held, l)
}

// keepBlob makes a blob of a file and remembers it.
func (s *Service) keepBlob(ctx context.Context, held *lease, l localLayer) error {
	if err := held.hold(ctx, blobKey(l.digest)); err != nil {
		return err
	}
	if err := s.blobs.adopt(l.path, l.digest); err != nil {
		return err
	}
	return s.change(ctx, func(c *engine.ImageChange) error {
		b := l.record()
		if have, ok := s.index.blob(l.digest); ok {
			b.Sources = have.Sources
		}
		c.PutBlobs = append(c.PutBlobs, b)
		return nil
	})
}

func (s *Service) content(d imageformat.Descriptor) archive.Content {
	return archive.Content{Descriptor: d, Open: func(context.Context) (io.ReadCloser, error) { return s.blobs.open(d.Digest) }}
}

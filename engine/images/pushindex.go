package images

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// part is an image of an index, with the manifest by which the index names it.
type part struct {
	e        *entry
	manifest engine.ManifestRecord
}

// wholeIndex finds the index that the tag's images came with, if all of its images are here. What is no image, such as an
// attestation, is not kept here, so an index that names one is never whole.
func (p *push) wholeIndex(ctx context.Context, fit []*entry) (document, []part, bool) {
	tried := map[string]bool{"": true}
	for _, e := range fit {
		for _, m := range e.rec.Manifests {
			if tried[m.Index] {
				continue
			}
			tried[m.Index] = true
			if doc, parts, ok := p.indexOf(ctx, digest.Digest(m.Index), fit); ok {
				return doc, parts, true
			}
		}
	}
	return document{}, nil, false
}

func (p *push) indexOf(ctx context.Context, d digest.Digest, fit []*entry) (document, []part, bool) {
	if p.held.hold(ctx, blobKey(d)) != nil {
		return document{}, nil, false
	}
	raw, err := p.s.document(d)
	if err != nil {
		return document{}, nil, false
	}
	index, err := imageformat.ParseIndex("", raw)
	if err != nil || len(index.Manifests) == 0 {
		return document{}, nil, false
	}
	named := map[string]part{}
	for _, e := range fit {
		for _, m := range e.rec.Manifests {
			named[m.Digest] = part{e, m}
		}
	}
	var parts []part
	for _, m := range index.Manifests {
		one, ok := named[m.Digest.String()]
		if !ok {
			return document{}, nil, false
		}
		parts = append(parts, one)
	}
	return document{imageformat.DescriptorOf(index.MediaType, raw), raw}, parts, true
}

// sendIndex sends every image of an index and the index. An image whose manifest cannot go out as it is spoils the index:
// then the host's own image goes alone.
func (p *push) sendIndex(ctx context.Context, index document, parts []part) error {
	var sent []outgoing
	for _, one := range parts {
		out, err := p.send(ctx, one.e, []engine.ManifestRecord{one.manifest})
		if err != nil {
			return err
		}
		if out.manifest.desc.Digest.String() != one.manifest.Digest {
			e, err := p.s.find("push", p.local, nil)
			if err != nil {
				return err
			}
			if out, err = p.send(ctx, e, e.rec.Manifests); err != nil {
				return err
			}
			return p.finish(ctx, out.manifest, []outgoing{out})
		}
		sent = append(sent, out)
	}
	return p.finish(ctx, index, sent)
}

// merge makes the index that the tag is to have: what it has now with this image in the place of its platform, as the
// original xc pushed images of several architectures.
func (p *push) merge(ctx context.Context, out outgoing) (document, error) {
	f := fetcher{s: p.s, remote: p.remote}
	next := imageformat.Index{}
	now, err := p.s.cfg.Registry.Resolve(ctx, p.remote, p.tag.Tag())
	switch {
	case engine.KindOf(err) == engine.NotFound && err != nil:
	case err != nil:
		return document{}, err
	default:
		doc, err := f.body(ctx, now)
		if err != nil {
			return document{}, err
		}
		if next.Manifests, err = f.others(ctx, doc); err != nil {
			return document{}, err
		}
	}
	mine := out.manifest.desc
	platform := imageformat.Normalize(formatPlatform(out.e.img.Platform))
	mine.Platform = &platform
	kept := next.Manifests[:0:0]
	for _, d := range next.Manifests {
		if d.Digest != mine.Digest && (d.Platform == nil || imageformat.FormatPlatform(imageformat.Normalize(*d.Platform)) != imageformat.FormatPlatform(platform)) {
			kept = append(kept, d)
		}
	}
	next.Manifests = append(kept, mine)
	raw, err := next.Marshal()
	return document{imageformat.DescriptorOf(imageformat.OCIIndex, raw), raw}, err
}

// others lists what a tag names now, as entries of an index.
func (f fetcher) others(ctx context.Context, doc document) ([]imageformat.Descriptor, error) {
	if imageformat.IsIndex(doc.desc.MediaType) {
		index, err := imageformat.ParseIndex(doc.desc.MediaType, doc.raw)
		return index.Manifests, err
	}
	m, err := imageformat.ParseManifest(doc.desc.MediaType, doc.raw)
	if err != nil || !m.IsImage() {
		return nil, err
	}
	raw, err := f.config(ctx, m.Config)
	if err != nil {
		return nil, err
	}
	img, err := imageformat.ParseConfig(raw)
	if err != nil {
		return nil, err
	}
	d := doc.desc
	platform := imageformat.Normalize(img.Platform)
	d.Platform = &platform
	return []imageformat.Descriptor{d}, nil
}

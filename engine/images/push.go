package images

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/distribution/reference"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// Push sends an image to its registry under a tag, or with All every tag of the repository. What came from a registry goes
// out with the same manifest, so with the same digest; where an index came and every image of it is here, the index goes.
func (s *Service) Push(ctx context.Context, req engine.PushRequest, report engine.ProgressFunc) error {
	if req.Target != "" {
		return s.pushAs(ctx, req, report)
	}
	named, err := pushable(req.Ref)
	if err != nil {
		return err
	}
	rep := newReporter(report)
	defer rep.close()
	rep.say("", "The push refers to repository ["+named.Name()+"]")
	tags := s.tagsIn(named.Name())
	if len(tags) == 0 {
		return imageError("push", engine.NotFound, req.Ref, saidf("An image does not exist locally with the tag: %s", reference.FamiliarName(named)))
	}
	if !req.All || !reference.IsNameOnly(named) {
		tags = []reference.NamedTagged{reference.TagNameOnly(named).(reference.NamedTagged)}
	}
	for _, tag := range tags {
		if err := s.pushOne(ctx, req, tag.String(), tag, rep); err != nil {
			return wrap("push", req.Ref, err)
		}
	}
	s.publish("push", reference.FamiliarString(named), reference.FamiliarName(named), nil)
	return nil
}

// pushAs sends one image under a name that it need not have here.
func (s *Service) pushAs(ctx context.Context, req engine.PushRequest, report engine.ProgressFunc) error {
	if req.All {
		return imageError("push", engine.Invalid, req.Ref, errors.New("all tags cannot be pushed under one name"))
	}
	target, err := pushable(req.Target)
	if err != nil {
		return err
	}
	if _, err := s.find("push", req.Ref, req.Platform); err != nil {
		return err
	}
	rep := newReporter(report)
	defer rep.close()
	rep.say("", "The push refers to repository ["+target.Name()+"]")
	tag := reference.TagNameOnly(target).(reference.NamedTagged)
	if err := s.pushOne(ctx, req, req.Ref, tag, rep); err != nil {
		return wrap("push", req.Ref, err)
	}
	s.publish("push", reference.FamiliarString(tag), reference.FamiliarName(tag), nil)
	return nil
}

func pushable(ref string) (reference.Named, error) {
	named, err := parseRemote("push", ref)
	if err != nil {
		return nil, err
	}
	if _, ok := named.(reference.Canonical); ok {
		return nil, imageError("push", engine.Invalid, ref, errors.New("cannot push a digest reference"))
	}
	return named, nil
}

// pushOne sends what a name or id means here under a tag.
func (s *Service) pushOne(ctx context.Context, req engine.PushRequest, local string, tag reference.NamedTagged, rep *reporter) error {
	p := &push{
		s: s, req: req, rep: rep, local: local, tag: tag,
		remote: engine.Remote{Repository: tag.Name(), Auth: req.Auth, Insecure: req.Insecure}, held: s.holds.lease(),
	}
	defer p.held.end()
	return p.run(ctx)
}

// push is one tag on its way out.
type push struct {
	s      *Service
	req    engine.PushRequest
	rep    *reporter
	local  string // what is sent, by a name or id of here
	tag    reference.NamedTagged
	remote engine.Remote
	held   *lease
}

// outgoing is an image ready to be sent: its manifest and the blobs that it names.
type outgoing struct {
	e        *entry
	manifest document
	layers   []imageformat.Descriptor
	config   imageformat.Descriptor
}

func (p *push) run(ctx context.Context) error {
	fit := p.s.index.named(p.localName())
	if len(fit) == 0 && p.req.Target == "" {
		return imageError("push", engine.NotFound, p.req.Ref, saidf("tag does not exist: %s", reference.FamiliarString(p.tag)))
	}
	// A registry that is not there is told at once: only what breaks half-way is tried again.
	if _, err := p.s.cfg.Registry.Resolve(ctx, p.remote, p.tag.Tag()); retryable(err) {
		return err
	}
	if p.req.Platform == nil && !p.req.MergeIndex {
		if index, parts, ok := p.wholeIndex(ctx, fit); ok {
			return p.sendIndex(ctx, index, parts)
		}
	}
	e, err := p.s.find("push", p.local, p.req.Platform)
	if err != nil {
		return err
	}
	out, err := p.send(ctx, e, e.rec.Manifests)
	if err != nil {
		return err
	}
	top := out.manifest
	if p.req.MergeIndex {
		if top, err = p.merge(ctx, out); err != nil {
			return err
		}
	}
	return p.finish(ctx, top, []outgoing{out})
}

// localName is local as the index has it; "" when it is no name.
func (p *push) localName() string {
	t, err := parseTarget("push", p.local)
	if err != nil || t.name == nil {
		return ""
	}
	return t.name.String()
}

// send brings an image's blobs to the registry and decides on its manifest, one of the given if that can be.
func (p *push) send(ctx context.Context, e *entry, manifests []engine.ManifestRecord) (outgoing, error) {
	for _, d := range slices.Backward(e.diffIDs) {
		p.rep.say(shortID(d), "Preparing")
	}
	out, err := p.prepare(ctx, e, manifests)
	if err != nil {
		return out, err
	}
	return out, p.sendBlobs(ctx, &out)
}

// finish puts the manifests, the tag last, and remembers where everything is now.
func (p *push) finish(ctx context.Context, top document, parts []outgoing) error {
	for _, out := range parts {
		if out.manifest.desc.Digest != top.desc.Digest {
			if err := p.put(ctx, out.manifest.desc.Digest.String(), out.manifest); err != nil {
				return err
			}
		}
	}
	if err := p.put(ctx, p.tag.Tag(), top); err != nil {
		return err
	}
	p.rep.say("", fmt.Sprintf("%s: digest: %s size: %d", p.tag.Tag(), top.desc.Digest, top.desc.Size))
	if err := p.remember(ctx, top, parts); err != nil {
		return err
	}
	p.rep.put(engine.Progress{Aux: &engine.ProgressAux{Tag: p.tag.Tag(), Digest: top.desc.Digest.String(), Size: top.desc.Size}})
	return nil
}

func (p *push) put(ctx context.Context, ref string, doc document) error {
	return p.again(ctx, "", func() error {
		return p.s.cfg.Registry.PutManifest(ctx, p.remote, ref, doc.desc.MediaType, doc.raw)
	})
}

// remember keeps the manifests, ties the digest to the images, and notes the repository as one that has the blobs.
func (p *push) remember(ctx context.Context, top document, parts []outgoing) error {
	pinned, err := reference.WithDigest(reference.TrimNamed(p.tag), top.desc.Digest)
	if err != nil {
		return err
	}
	documents := []document{top}
	for _, out := range parts {
		documents = append(documents, out.manifest)
	}
	for _, d := range documents {
		if err := p.held.hold(ctx, blobKey(d.desc.Digest)); err != nil {
			return err
		}
		if err := p.s.blobs.put(d.desc.Digest, d.raw); err != nil {
			return err
		}
	}
	return p.s.change(ctx, func(c *engine.ImageChange) error {
		for _, out := range parts {
			e, ok := p.s.index.get(out.e.rec.ID)
			if !ok {
				continue // it was removed while it was sent
			}
			rec := e.rec
			m := engine.ManifestRecord{Digest: out.manifest.desc.Digest.String(), MediaType: out.manifest.desc.MediaType}
			if top.desc.Digest != out.manifest.desc.Digest {
				m.Index = top.desc.Digest.String()
			}
			rec.Manifests = withManifest(rec.Manifests, m)
			c.Put = append(c.Put, rec)
			if !p.s.means(pinned.String(), e.platformKey(), rec.ID) {
				c.PutNames = append(c.PutNames, engine.ImageName{Name: pinned.String(), Platform: e.platformKey(), Image: rec.ID, Set: now()})
			}
			for i, l := range out.layers {
				c.PutBlobs = append(c.PutBlobs, p.s.blobRecord(l, e.diffIDs[i], p.remote.Repository))
			}
		}
		return nil
	})
}

package images

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/layer"
)

// Push sends an image to its registry under a tag, or with All every tag of the repository. What came from a registry goes
// out with the same manifest, so with the same digest; where an index came and every image of it is here, the index goes.
func (s *Service) Push(ctx context.Context, req engine.PushRequest, report engine.ProgressFunc) error {
	named, err := parseRemote("push", req.Ref)
	if err != nil {
		return err
	}
	if _, ok := named.(reference.Canonical); ok {
		return imageError("push", engine.Invalid, req.Ref, errors.New("cannot push a digest reference"))
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
		p := &push{s: s, req: req, rep: rep, tag: tag, remote: engine.Remote{Repository: tag.Name(), Auth: req.Auth}, held: s.holds.lease()}
		err := p.run(ctx)
		p.held.end()
		if err != nil {
			return wrap("push", req.Ref, err)
		}
	}
	s.publish("push", reference.FamiliarString(named), reference.FamiliarName(named), nil)
	return nil
}

// push is one tag on its way out.
type push struct {
	s      *Service
	req    engine.PushRequest
	rep    *reporter
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
	fit := p.s.index.named(p.tag.String())
	if len(fit) == 0 {
		return imageError("push", engine.NotFound, p.req.Ref, saidf("tag does not exist: %s", reference.FamiliarString(p.tag)))
	}
	if p.req.Platform == nil && !p.req.MergeIndex {
		if index, parts, ok := p.wholeIndex(ctx, fit); ok {
			return p.sendIndex(ctx, index, parts)
		}
	}
	e, err := p.s.find("push", p.tag.String(), p.req.Platform)
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

// prepare takes a manifest that the image came with if its layers are kept, or else makes one of the layers as they are
// kept; one that no registry takes is compressed.
func (p *push) prepare(ctx context.Context, e *entry, manifests []engine.ManifestRecord) (outgoing, error) {
	out := outgoing{e: e, config: imageformat.Descriptor{MediaType: imageformat.OCIConfig, Digest: digest.Digest(e.rec.ID)}}
	if err := p.held.hold(ctx, blobKey(out.config.Digest)); err != nil {
		return out, err
	}
	config, err := p.s.document(out.config.Digest)
	if err != nil {
		return out, err
	}
	out.config.Size = int64(len(config))
	for _, m := range manifests {
		layers, raw, ok := p.s.keptManifest(ctx, p.held, m)
		if !ok {
			layers, raw, ok = p.knownManifest(ctx, m)
		}
		if ok {
			out.layers = layers
			out.manifest = document{imageformat.Descriptor{MediaType: m.MediaType, Digest: digest.Digest(m.Digest), Size: int64(len(raw))}, raw}
			return out, nil
		}
	}
	m := imageformat.Manifest{Config: out.config}
	for i := range e.diffIDs {
		b, err := p.sendable(ctx, e, i)
		if err != nil {
			return out, err
		}
		m.Layers = append(m.Layers, imageformat.Descriptor{MediaType: b.MediaType, Digest: digest.Digest(b.Digest), Size: b.Size})
	}
	raw, err := m.Marshal()
	if err != nil {
		return out, err
	}
	out.layers, out.manifest = m.Layers, document{imageformat.DescriptorOf(imageformat.OCIManifest, raw), raw}
	return out, nil
}

// knownManifest reads a manifest whose layers are not all kept but can be had by the registry from another of its
// repositories: a layer that was there already when the image was pulled was not fetched.
func (p *push) knownManifest(ctx context.Context, m engine.ManifestRecord) ([]imageformat.Descriptor, []byte, bool) {
	raw, err := p.s.document(digest.Digest(m.Digest))
	if err != nil {
		return nil, nil, false
	}
	manifest, err := imageformat.ParseManifest(m.MediaType, raw)
	if err != nil {
		return nil, nil, false
	}
	for _, l := range manifest.Layers {
		if p.s.blobs.has(l.Digest) {
			continue
		}
		if there, err := p.there(ctx, l.Digest); err != nil || !there {
			return nil, nil, false
		}
	}
	return manifest.Layers, raw, true
}

// there reports whether the registry has a blob in the repository, after a mount if need be.
func (p *push) there(ctx context.Context, d digest.Digest) (bool, error) {
	if ok, err := p.s.cfg.Registry.HasBlob(ctx, p.remote, d.String()); ok || err != nil {
		return ok, err
	}
	from, err := p.mount(ctx, d)
	return from != "", err
}

const maxMounts = 4

// mount asks the registry to take a blob from a repository that is known to have it, the most alike first.
func (p *push) mount(ctx context.Context, d digest.Digest) (from string, err error) {
	b, _ := p.s.index.blob(d)
	var sources []string
	for _, repo := range slices.Backward(b.Sources) {
		if repo != p.remote.Repository && domainOf(repo) == domainOf(p.remote.Repository) {
			sources = append(sources, repo)
		}
	}
	slices.SortStableFunc(sources, func(a, b string) int {
		return cmp.Compare(alike(b, p.remote.Repository), alike(a, p.remote.Repository))
	})
	for _, repo := range sources[:min(len(sources), maxMounts)] {
		ok, err := p.s.cfg.Registry.MountBlob(ctx, p.remote, d.String(), repo)
		if err != nil {
			return "", err
		}
		if ok {
			return repo, nil
		}
	}
	return "", nil
}

func domainOf(repo string) string {
	if named, ok := keptName(repo); ok {
		return reference.Domain(named)
	}
	return ""
}

// alike counts the letters that two names begin with.
func alike(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// sendable returns a blob of a layer in a form that registries and their clients take, made if need be.
func (p *push) sendable(ctx context.Context, e *entry, i int) (engine.BlobRecord, error) {
	diff := e.diffIDs[i]
	unlock, err := p.s.holds.lock(ctx, "compress "+string(diff))
	if err != nil {
		return engine.BlobRecord{}, err
	}
	defer unlock() // two pushes of one image compress its layers once
	for _, b := range p.s.index.withDiff(diff) {
		if !isCompressed(b.MediaType) {
			continue
		}
		if err := p.held.hold(ctx, blobKey(digest.Digest(b.Digest))); err != nil {
			return b, err
		}
		if p.s.blobs.has(digest.Digest(b.Digest)) {
			return b, nil
		}
	}
	b, err := p.s.layerBlob(ctx, p.held, e, i)
	if err != nil {
		return b, err
	}
	return p.s.compress(ctx, p.held, b)
}

func isCompressed(mediaType string) bool {
	switch mediaType {
	case imageformat.OCILayerGzip, imageformat.OCILayerZstd, imageformat.DockerLayerGz, imageformat.DockerLayerZs:
		return true
	}
	return false
}

// compress makes a gzip blob of a kept one, which every client understands.
func (s *Service) compress(ctx context.Context, held *lease, b engine.BlobRecord) (engine.BlobRecord, error) {
	in, err := s.blobs.open(digest.Digest(b.Digest))
	if err != nil {
		return b, err
	}
	defer in.Close()
	plain, _, err := layer.Decompress(reader{ctx, in})
	if err != nil {
		return b, err
	}
	defer plain.Close()
	pr, pw := io.Pipe()
	hash := digest.SHA256.Digester()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pw.CloseWithError(gzipTo(pw, io.TeeReader(plain, hash.Hash())))
	}()
	f, err := s.blobs.spool(ctx, pr)
	pr.CloseWithError(err)
	<-ended
	if err != nil {
		return b, err
	}
	defer f.discard()
	if got := hash.Digest(); got.String() != b.DiffID {
		return b, fmt.Errorf("blob %s is damaged: it unpacks to %s instead of %s", b.Digest, got, b.DiffID)
	}
	l := localLayer{path: f.path, digest: f.digest, diffID: digest.Digest(b.DiffID), size: f.size, mediaType: imageformat.OCILayerGzip}
	return l.record(), s.keepBlob(ctx, held, l)
}

func gzipTo(w io.Writer, r io.Reader) error {
	z, err := layer.Compress(w, layer.Gzip)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(z, struct{ io.Reader }{r}, make([]byte, copyChunk)); err != nil {
		return err
	}
	return z.Close()
}

// sendBlobs sends layers at once, as many as the gate lets through, and the config after them.
func (p *push) sendBlobs(ctx context.Context, out *outgoing) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	sent := map[digest.Digest]bool{}
	for i, l := range slices.Backward(out.layers) {
		if sent[l.Digest] {
			continue
		}
		sent[l.Digest] = true
		turn := p.s.uploads.enter()
		all.Go(func() {
			if err := p.sendLayer(ctx, turn, l, out.e.diffIDs[i]); err != nil {
				cancel(err) // the first reason is the one to tell
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	ok, err := p.s.cfg.Registry.HasBlob(ctx, p.remote, out.config.Digest.String())
	if ok || err != nil {
		return err
	}
	return p.again(ctx, "", func() error { return p.upload(ctx, out.config, nil) })
}

func (p *push) sendLayer(ctx context.Context, turn *ticket, l imageformat.Descriptor, diff digest.Digest) error {
	id := shortID(diff)
	if !turn.open() {
		p.rep.say(id, "Waiting")
	}
	if err := turn.wait(ctx); err != nil {
		return err
	}
	defer turn.leave()
	return p.again(ctx, id, func() error {
		ok, err := p.s.cfg.Registry.HasBlob(ctx, p.remote, l.Digest.String())
		if err != nil {
			return err
		}
		if ok {
			p.rep.say(id, "Layer already exists")
			return nil
		}
		if from, err := p.mount(ctx, l.Digest); err != nil {
			return err
		} else if from != "" {
			p.rep.say(id, "Mounted from "+reference.Path(mustParse(from)))
			return nil
		}
		var show pace
		err = p.upload(ctx, l, func(n int64) {
			if show.due() || n == l.Size {
				p.rep.put(engine.Progress{ID: id, Status: "Pushing", Current: n, Total: l.Size})
			}
		})
		if err == nil {
			p.rep.say(id, "Pushed")
		}
		return err
	})
}

func (p *push) upload(ctx context.Context, d imageformat.Descriptor, sent func(int64)) error {
	f, err := p.s.blobs.open(d.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	return p.s.cfg.Registry.PutBlob(ctx, p.remote, engine.BlobUpload{Digest: d.Digest.String(), Size: d.Size, Content: f, Sent: sent})
}

// again repeats what may succeed later, counting down where the user sees it.
func (p *push) again(ctx context.Context, id string, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if err == nil || ctx.Err() != nil || try == maxTries || !retryable(err) {
			return err
		}
		p.s.log.Info("an upload broke off", "repository", p.remote.Repository, "try", try, "error", err)
		for left := try * 5; left > 0; left-- {
			if id != "" {
				p.rep.say(id, retryText(left))
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(p.s.cfg.RetryTick):
			}
		}
	}
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

package images

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// Pull fetches an image, or with All every tag of a repository. Until the documents are verified nothing is reported and an
// error is the whole answer. The image is visible when everything of it is in place, not before.
func (s *Service) Pull(ctx context.Context, req engine.PullRequest, report engine.ProgressFunc) error {
	named, err := parseRemote("pull", req.Ref)
	if err != nil {
		return err
	}
	rep := newReporter(report)
	defer rep.close()
	remote := engine.Remote{Repository: named.Name(), Auth: req.Auth}
	if !req.All || !reference.IsNameOnly(named) {
		named = nameKey(named)
		changed, warning, err := s.pullOne(ctx, named, remote, req.Platform, rep)
		if err != nil {
			return wrap("pull", req.Ref, err)
		}
		s.pulled(named, changed, rep)
		if warning != "" {
			rep.say("", "WARNING: "+warning)
		}
		return nil
	}
	tags, err := s.cfg.Registry.Tags(ctx, remote)
	if err != nil {
		return wrap("pull", req.Ref, err)
	}
	changed := false
	for _, tag := range tags {
		tagged, err := reference.WithTag(named, tag)
		if err != nil {
			return wrap("pull", req.Ref, imageError("pull", engine.Invalid, req.Ref, err))
		}
		one, _, err := s.pullOne(ctx, tagged, remote, req.Platform, rep)
		if err != nil {
			return wrap("pull", req.Ref, err)
		}
		changed = changed || one
	}
	s.pulled(named, changed, rep)
	return nil
}

// pulled ends a pull in Docker's words.
func (s *Service) pulled(named reference.Named, changed bool, rep *reporter) {
	if changed {
		rep.say("", "Status: Downloaded newer image for "+reference.FamiliarString(named))
	} else {
		rep.say("", "Status: Image is up to date for "+reference.FamiliarString(named))
	}
	var e *entry
	if fit := s.index.named(named.String()); len(fit) > 0 {
		e = fit[len(fit)-1]
	}
	s.publish("pull", reference.FamiliarString(named), reference.FamiliarName(named), e)
}

// pullOne fetches one tag or digest and reports whether the name now means another image. The warning, if there is one, is
// for a user who asked for a platform and got the only one that there is.
func (s *Service) pullOne(ctx context.Context, named reference.Named, remote engine.Remote, platform *engine.Platform, rep *reporter) (changed bool, warning string, err error) {
	f := fetcher{s: s, remote: remote, want: s.wanted(platform), wish: platform}
	img, err := f.resolve(ctx, remoteRef(named))
	if err != nil {
		return false, "", err
	}
	rep.say(remoteRefShown(named), "Pulling from "+reference.Path(named))
	held := s.holds.lease()
	defer held.end()
	sizes, err := s.pullLayers(ctx, img, remote, held, rep)
	if err != nil {
		return false, "", err
	}
	if changed, err = s.keep(ctx, img, named, remote, sizes, held); err != nil {
		return false, "", err
	}
	rep.say("", "Digest: "+img.top.String())
	if platform != nil && rank(f.want, enginePlatform(img.image.Platform)) < 0 {
		warning = fmt.Sprintf("image with reference %s was found but its platform (%s) does not match the specified platform (%s)",
			reference.FamiliarString(named), imageformat.FormatPlatform(img.image.Platform), imageformat.FormatPlatform(f.want[0]))
	}
	return changed, warning, nil
}

// remoteRefShown is what Docker puts before "Pulling from": a tag, or the whole reference with its digest.
func remoteRefShown(named reference.Named) string {
	if _, ok := named.(reference.Canonical); ok {
		return named.String()
	}
	return remoteRef(named)
}

// pullLayers brings every layer in place and returns their sizes. What it held stays held until the caller is done.
func (s *Service) pullLayers(ctx context.Context, img found, remote engine.Remote, held *lease, rep *reporter) ([]int64, error) {
	chain := imageformat.ChainIDs(img.image.DiffIDs)
	for i, c := range chain {
		if err := held.hold(ctx, layerKey(engine.LayerID(c)), blobKey(img.manifest.Layers[i].Digest)); err != nil {
			return nil, err
		}
	}
	// Of an image that is here whole Docker names no layers.
	_, known := s.index.get(engine.ImageID(img.manifest.Config.Digest))
	jobs := make([]*job, len(chain))
	defer func() {
		for _, j := range slices.Backward(jobs) {
			if j != nil {
				s.transfers.release(j)
			}
		}
	}()
	var below *job
	var parent engine.LayerID
	for i, c := range chain {
		at, desc := engine.LayerID(c), img.manifest.Layers[i]
		have, err := s.cfg.Layers.Has(ctx, at)
		if err != nil {
			return nil, err
		}
		switch {
		case have && known:
		case have:
			rep.say(shortID(desc.Digest), "Already exists")
		default:
			rep.say(shortID(desc.Digest), "Pulling fs layer")
			jobs[i] = s.transfers.acquire(ctx, wish{chain: at, parent: parent, diffID: img.image.DiffIDs[i], desc: desc, remote: remote, below: below})
		}
		below, parent = jobs[i], at
	}
	for _, j := range jobs {
		if j != nil {
			defer j.subscribe(rep.put)()
		}
	}
	return s.sizesOf(ctx, jobs, chain)
}

// sizesOf waits for the jobs, the lowest layer first: its error is what the ones above it fail of.
func (s *Service) sizesOf(ctx context.Context, jobs []*job, chain []digest.Digest) ([]int64, error) {
	for _, j := range jobs {
		if j == nil {
			continue
		}
		if err := await(ctx, j.done); err != nil {
			return nil, err
		}
		if j.err != nil {
			return nil, j.err
		}
	}
	sizes := make([]int64, len(chain))
	for i, c := range chain {
		var err error
		if sizes[i], err = s.cfg.Layers.Size(ctx, engine.LayerID(c)); err != nil {
			return nil, err
		}
	}
	return sizes, nil
}

// keep makes the pulled image visible under its name, and under the digest that the name stands for.
func (s *Service) keep(ctx context.Context, img found, named reference.Named, remote engine.Remote, sizes []int64, held *lease) (bool, error) {
	documents := []document{img.doc, img.config}
	if img.index != nil {
		documents = append(documents, *img.index)
	}
	for _, d := range documents {
		if err := held.hold(ctx, blobKey(d.desc.Digest)); err != nil {
			return false, err
		}
		if err := s.blobs.put(d.desc.Digest, d.raw); err != nil {
			return false, err
		}
	}
	pinned, err := reference.WithDigest(reference.TrimNamed(named), img.top)
	if err != nil {
		return false, err
	}
	changed := false
	err = s.change(ctx, func(c *engine.ImageChange) error {
		now := now()
		rec := s.recordOf(img, sizes, now)
		platform := platformKey(enginePlatform(img.image.Platform))
		for _, name := range []string{named.String(), pinned.String()} {
			if !s.means(name, platform, rec.ID) {
				changed = changed || name == named.String()
				c.PutNames = append(c.PutNames, engine.ImageName{Name: name, Platform: platform, Image: rec.ID, Set: now})
			}
		}
		c.Put = append(c.Put, rec)
		for i, l := range img.manifest.Layers {
			c.PutBlobs = append(c.PutBlobs, s.blobRecord(l, img.image.DiffIDs[i], remote.Repository))
		}
		return nil
	})
	return changed, err
}

// recordOf is what to keep of a pulled image, added to what is kept of it already.
func (s *Service) recordOf(img found, sizes []int64, now time.Time) engine.ImageRecord {
	id := engine.ImageID(img.manifest.Config.Digest)
	rec := engine.ImageRecord{ID: id, Config: img.config.raw, Added: now, LayerSizes: sizes}
	if e, ok := s.index.get(id); ok {
		rec = e.rec
	}
	m := engine.ManifestRecord{Digest: img.doc.desc.Digest.String(), MediaType: img.doc.desc.MediaType}
	if img.index != nil {
		m.Index = img.index.desc.Digest.String()
	}
	rec.Manifests = withManifest(rec.Manifests, m)
	return rec
}

// maxManifests bounds the manifests that are remembered of one image.
const maxManifests = 16

func withManifest(list []engine.ManifestRecord, m engine.ManifestRecord) []engine.ManifestRecord {
	kept := []engine.ManifestRecord{m}
	for _, have := range list {
		if have != m && len(kept) < maxManifests {
			kept = append(kept, have)
		}
	}
	return kept
}

// means reports whether a name stands for an image on a platform.
func (s *Service) means(name, platform string, id engine.ImageID) bool {
	yes := false
	s.index.view(func() {
		for _, n := range s.index.names[name] {
			yes = yes || n.Platform == platform && n.Image == id
		}
	})
	return yes
}

const maxSources = 16

// blobRecord is what is known of a layer's blob, with one more repository that has it.
func (s *Service) blobRecord(d imageformat.Descriptor, diff digest.Digest, repository string) engine.BlobRecord {
	b, ok := s.index.blob(d.Digest)
	if !ok {
		b = engine.BlobRecord{Digest: d.Digest.String(), DiffID: diff.String(), Size: d.Size}
	}
	if b.MediaType == "" || ok && b.MediaType != d.MediaType {
		b.MediaType = d.MediaType
	}
	b.Absent = !s.blobs.has(d.Digest)
	if repository != "" {
		sources := slices.DeleteFunc(slices.Clone(b.Sources), func(r string) bool { return r == repository })
		b.Sources = append(sources, repository)
		if n := len(b.Sources); n > maxSources {
			b.Sources = b.Sources[n-maxSources:]
		}
	}
	return b
}

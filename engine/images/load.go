package images

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/archive"
)

// Load takes images out of an archive: docker-archive or OCI layout, of any compression. With a platform only the images of
// that platform. Each image is visible as soon as it is whole.
func (s *Service) Load(ctx context.Context, tar io.Reader, platform *engine.Platform, report engine.ProgressFunc) error {
	rep := newReporter(report)
	defer rep.close()
	a, err := archive.Open(ctx, tar, s.blobs.tmp(), archive.Limits{})
	if err != nil {
		return wrap("load", "", err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			s.log.Warn("files of a load stay until the next start", "error", err)
		}
	}()
	l := loading{s: s, rep: rep, ids: map[string]bool{}, sharing: map[string][]engine.ImageID{}, told: map[string]bool{}}
	for _, img := range a.Images {
		l.ids[img.Config.Digest.String()] = true
		names, err := loadedNames(img.Names)
		if err != nil {
			return err
		}
		for _, n := range names {
			l.sharing[n.String()] = append(l.sharing[n.String()], engine.ImageID(img.Config.Digest))
		}
	}
	for _, img := range a.Images {
		if platform != nil && rank(imageformat.Wanted(formatPlatform(*platform)), enginePlatform(img.ConfigFile.Platform)) < 0 {
			continue
		}
		if err := l.image(ctx, img); err != nil {
			return wrap("load", "", err)
		}
	}
	return wrap("load", "", l.parents(ctx, a.Images))
}

// loading is one Load.
type loading struct {
	s   *Service
	rep *reporter
	ids map[string]bool // of the archive
	// sharing are the archive's images that have a name: each keeps it for its platform.
	sharing map[string][]engine.ImageID
	told    map[string]bool // names that were said to be loaded
}

func (l *loading) image(ctx context.Context, img archive.Image) error {
	names, err := loadedNames(img.Names)
	if err != nil {
		return err
	}
	held := l.s.holds.lease()
	defer held.end()
	out := fresh{config: img.ConfigRaw, names: names, beside: l.sharing, loaded: true}
	if img.Manifest != nil {
		out.manifest = &document{imageformat.DescriptorOf(img.ManifestMediaType, img.Manifest), img.Manifest}
	}
	if img.Index != nil {
		out.index = &document{imageformat.DescriptorOf("", img.Index), img.Index}
	}
	for _, from := range img.Layers {
		local, err := localOf(from)
		if err != nil {
			return err
		}
		out.count = l.counter(local)
		if err := l.s.placeIn(ctx, held, out.top, local, &out); err != nil {
			return err
		}
	}
	l.tellRenamed(img, names)
	e, err := l.s.register(ctx, held, out)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !l.told[n.String()] {
			l.rep.put(engine.Progress{Stream: "Loaded image: " + reference.FamiliarString(n) + "\n"})
		}
		l.told[n.String()] = true
	}
	if len(names) == 0 {
		l.rep.put(engine.Progress{Stream: "Loaded image ID: " + string(e.rec.ID) + "\n"})
	}
	l.s.publish("load", string(e.rec.ID), string(e.rec.ID), e)
	return nil
}

func localOf(from archive.Layer) (localLayer, error) {
	local := localLayer{path: from.Path, digest: from.Digest, diffID: from.DiffID, size: from.Size, mediaType: from.MediaType}
	if local.mediaType != "" {
		return local, nil
	}
	if from.Digest == from.DiffID {
		local.mediaType = imageformat.OCILayer
		return local, nil
	}
	c, err := detectFile(from.Path)
	local.mediaType = mediaTypeOf(c)
	return local, err
}

// counter shows a layer's progress as Docker does.
func (l *loading) counter(local localLayer) func(int64) {
	var show pace
	id := shortID(local.diffID)
	return func(n int64) {
		if show.due() || n == local.size {
			l.rep.put(engine.Progress{ID: id, Status: "Loading layer", Current: n, Total: local.size})
		}
	}
}

// tellRenamed says which names are about to be taken from other images.
func (l *loading) tellRenamed(img archive.Image, names []reference.NamedTagged) {
	platform := platformKey(enginePlatform(img.ConfigFile.Platform))
	for _, n := range names {
		for _, e := range l.s.index.named(n.String()) {
			shared := slices.Contains(l.sharing[n.String()], e.rec.ID) && e.platformKey() != platform
			if string(e.rec.ID) != img.Config.Digest.String() && !shared {
				l.rep.put(engine.Progress{Stream: "The image " + reference.FamiliarString(n) + " already exists, renaming the old one with ID " + string(e.rec.ID) + " to empty string\n"})
			}
		}
	}
}

// loadedNames reads an archive's names. A name without a tag is an error in a docker-archive; an OCI layout may give a mere
// tag in a name's place, which names nothing.
func loadedNames(names []string) ([]reference.NamedTagged, error) {
	var out []reference.NamedTagged
	for _, n := range names {
		if !strings.ContainsAny(n, ":/@") {
			continue
		}
		named, err := reference.ParseNormalizedNamed(n)
		if err != nil {
			return nil, imageError("load", engine.Invalid, n, err)
		}
		tagged, ok := reference.TagNameOnly(named).(reference.NamedTagged)
		if !ok {
			return nil, imageError("load", engine.Invalid, n, saidf("invalid tag %q", n))
		}
		out = append(out, tagged)
	}
	return out, nil
}

// parents ties loaded images to those that they say they were made of, where both came and the one continues the other.
func (l *loading) parents(ctx context.Context, images []archive.Image) error {
	for _, img := range images {
		if img.Parent == "" || !l.ids[img.Parent] {
			continue
		}
		err := l.s.change(ctx, func(c *engine.ImageChange) error {
			child, ok1 := l.s.index.get(engine.ImageID(img.Config.Digest))
			parent, ok2 := l.s.index.get(engine.ImageID(img.Parent))
			if !ok1 || !ok2 {
				return nil
			}
			if yes, err := l.s.continues(child, parent); err != nil || !yes {
				return err
			}
			rec := child.rec
			rec.Parent = parent.rec.ID
			c.Put = append(c.Put, rec)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// continues reports whether one step made child of parent.
func (s *Service) continues(child, parent *entry) (bool, error) {
	if child.rec.ID == parent.rec.ID {
		return false, nil
	}
	if child.steps == 0 && parent.steps == 0 {
		return true, nil // history is not mandatory
	}
	if child.steps-parent.steps != 1 {
		return false, nil
	}
	ours, err := s.historyOf(child)
	if err != nil {
		return false, err
	}
	theirs, err := s.historyOf(parent)
	if err != nil {
		return false, err
	}
	return slices.EqualFunc(ours[:len(theirs)], theirs, sameHistory), nil
}

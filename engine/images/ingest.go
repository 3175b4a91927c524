package images

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/layer"
)

// localLayer is a layer that came as a file: in an archive, out of a container, from a user's tar.
type localLayer struct {
	path      string        // of a file in the blobs' file system, which becomes the blob
	digest    digest.Digest // of the file
	diffID    digest.Digest
	size      int64
	mediaType string
}

// place extracts a layer upon its parent unless it is there, and keeps its file as a blob if that is needed: kept tells.
// count sees how far the file was read; it may be nil.
func (s *Service) place(ctx context.Context, held *lease, parent engine.LayerID, l localLayer, count func(n int64)) (id engine.LayerID, kept bool, err error) {
	id = engine.LayerID(imageformat.ChainID(digest.Digest(parent), l.diffID))
	if err := held.hold(ctx, layerKey(id), blobKey(l.digest)); err != nil {
		return "", false, err
	}
	have, err := s.cfg.Layers.Has(ctx, id)
	if err != nil {
		return "", false, err
	}
	if !have {
		if err := s.extract(ctx, parent, id, l, count); err != nil {
			return "", false, err
		}
	}
	if !isCompressed(l.mediaType) && s.hasBlobFor(ctx, held, l.diffID) {
		return id, false, nil // a plain tar beside what it was compressed to would only take space
	}
	if !s.blobs.has(l.digest) {
		err = s.blobs.adopt(l.path, l.digest)
	}
	return id, true, err
}

// hasBlobFor reports whether a blob of the layer is kept, and holds it.
func (s *Service) hasBlobFor(ctx context.Context, held *lease, diffID digest.Digest) bool {
	for _, b := range s.index.withDiff(diffID) {
		d := digest.Digest(b.Digest)
		if held.hold(ctx, blobKey(d)) == nil && s.blobs.has(d) {
			return true
		}
	}
	return false
}

// placeIn is place for the next layer of a new image.
func (s *Service) placeIn(ctx context.Context, held *lease, parent engine.LayerID, l localLayer, img *fresh) error {
	id, kept, err := s.place(ctx, held, parent, l, img.count)
	if err != nil {
		return err
	}
	size, err := s.cfg.Layers.Size(ctx, id)
	img.sizes = append(img.sizes, size)
	if kept {
		img.layers = append(img.layers, l)
	}
	img.top = id
	return err
}

func (s *Service) extract(ctx context.Context, parent, id engine.LayerID, l localLayer, count func(n int64)) error {
	f, err := s.openLayer(l)
	if err != nil {
		return err
	}
	defer f.Close()
	got, _, err := unpackLayer(ctx, s.cfg.Layers, parent, l.diffID, &counting{Reader: reader{ctx, f}, count: count})
	if err != nil {
		return fmt.Errorf("failed to register layer: %w", err)
	}
	if got != id {
		return fmt.Errorf("layer %s became %s where %s was due", l.diffID, got, id)
	}
	return nil
}

// openLayer opens the file, which an image before may have made a blob already.
func (s *Service) openLayer(l localLayer) (*os.File, error) {
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s.blobs.open(l.digest)
	}
	return f, err
}

type counting struct {
	io.Reader
	n     int64
	count func(int64)
}

// Read implements io.Reader.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	if c.count != nil {
		c.count(c.n)
	}
	return n, err
}

// record is what is kept of the layer's blob.
func (l localLayer) record() engine.BlobRecord {
	return engine.BlobRecord{Digest: l.digest.String(), DiffID: l.diffID.String(), MediaType: l.mediaType, Size: l.size}
}

// mediaTypeOf is how a registry is told of a layer's compression. Of one that no registry's clients know it is empty: such
// a layer is compressed anew before it is sent.
func mediaTypeOf(c layer.Compression) string {
	switch c {
	case layer.None:
		return imageformat.OCILayer
	case layer.Gzip:
		return imageformat.OCILayerGzip
	case layer.Zstd:
		return imageformat.OCILayerZstd
	}
	return ""
}

// detectFile tells how a file is compressed.
func detectFile(path string) (layer.Compression, error) {
	f, err := os.Open(path)
	if err != nil {
		return layer.None, err
	}
	defer f.Close()
	first := make([]byte, 32)
	n, err := io.ReadFull(f, first)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return layer.None, err
	}
	return layer.Detect(first[:n]), nil
}

// fresh is an image that is made here and ready to be seen.
type fresh struct {
	config   []byte
	sizes    []int64
	manifest *document // nil: none yet
	index    *document // that names the manifest; nil: none
	parent   engine.ImageID
	names    []reference.NamedTagged
	layers   []localLayer // whose blobs came with it
	top      engine.LayerID
	count    func(n int64) // sees the layer's file being read; may be nil
	// loaded: the names came with it, nobody gave them now. beside are images that may keep a name for their own platforms.
	loaded bool
	beside map[string][]engine.ImageID
	// intermediate: a build's, unless the image is there already and is not.
	intermediate bool
}

// register makes a new image visible, with its names. The image may be there already.
func (s *Service) register(ctx context.Context, held *lease, img fresh) (*entry, error) {
	id := engine.ImageID(digest.FromBytes(img.config))
	documents := []document{{imageformat.DescriptorOf("", img.config), img.config}}
	if img.manifest != nil {
		documents = append(documents, *img.manifest)
		if img.index != nil {
			documents = append(documents, *img.index)
		}
	}
	for _, d := range documents {
		if err := held.hold(ctx, blobKey(d.desc.Digest)); err != nil {
			return nil, err
		}
		if err := s.blobs.put(d.desc.Digest, d.raw); err != nil {
			return nil, err
		}
	}
	err := s.change(ctx, func(c *engine.ImageChange) error { return s.registerIn(c, id, img) })
	if err != nil {
		return nil, err
	}
	e, _ := s.index.get(id)
	return e, nil
}

func (s *Service) registerIn(c *engine.ImageChange, id engine.ImageID, img fresh) error {
	rec := engine.ImageRecord{ID: id, Config: img.config, Added: now(), LayerSizes: img.sizes, Parent: img.parent, Intermediate: img.intermediate}
	e, err := newEntry(rec)
	if err != nil {
		return err
	}
	if have, ok := s.index.get(id); ok {
		rec = have.rec
		rec.Parent = cmp.Or(rec.Parent, img.parent)
		rec.Intermediate = rec.Intermediate && img.intermediate
	}
	if m := img.manifest; m != nil {
		kept := engine.ManifestRecord{Digest: m.desc.Digest.String(), MediaType: m.desc.MediaType}
		if img.index != nil {
			kept.Index = img.index.desc.Digest.String()
		}
		rec.Manifests = withManifest(rec.Manifests, kept)
	}
	for _, name := range img.names {
		s.nameIn(c, e, &rec, name.String(), img.beside[name.String()])
	}
	if len(img.names) > 0 && !img.loaded {
		rec.LastTagged = now()
	}
	for _, l := range img.layers {
		b := l.record()
		if have, ok := s.index.blob(l.digest); ok {
			b = have
			b.Absent = false
		}
		c.PutBlobs = append(c.PutBlobs, b)
	}
	c.Put = append(c.Put, rec)
	return nil
}

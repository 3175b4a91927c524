package images

import (
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

// place extracts a layer upon its parent unless it is there, and keeps its file as a blob. count sees how far the file was
// read; it may be nil.
func (s *Service) place(ctx context.Context, held *lease, parent engine.LayerID, l localLayer, count func(n int64)) (engine.LayerID, int64, error) {
	id := engine.LayerID(imageformat.ChainID(digest.Digest(parent), l.diffID))
	if err := held.hold(ctx, layerKey(id), blobKey(l.digest)); err != nil {
		return "", 0, err
	}
	have, err := s.cfg.Layers.Has(ctx, id)
	if err != nil {
		return "", 0, err
	}
	if !have {
		if err := s.extract(ctx, parent, id, l, count); err != nil {
			return "", 0, err
		}
	}
	if !s.blobs.has(l.digest) {
		if err := s.blobs.adopt(l.path, l.digest); err != nil {
			return "", 0, err
		}
	}
	size, err := s.cfg.Layers.Size(ctx, id)
	return id, size, err
}

func (s *Service) extract(ctx context.Context, parent, id engine.LayerID, l localLayer, count func(n int64)) error {
	f, err := s.openLayer(l)
	if err != nil {
		return err
	}
	defer f.Close()
	got, _, err := unpackLayer(ctx, s.cfg.Layers, parent, l.diffID, &counting{Reader: reader{ctx, f}, count: count}, func() {})
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
	parent   engine.ImageID
	names    []reference.NamedTagged
	layers   []localLayer // whose blobs came with it
}

// register makes a new image visible, with its names. The image may be there already.
func (s *Service) register(ctx context.Context, held *lease, img fresh) (*entry, error) {
	id := engine.ImageID(digest.FromBytes(img.config))
	documents := []document{{imageformat.DescriptorOf("", img.config), img.config}}
	if img.manifest != nil {
		documents = append(documents, *img.manifest)
	}
	for _, d := range documents {
		if err := held.hold(ctx, blobKey(d.desc.Digest)); err != nil {
			return nil, err
		}
		if err := s.blobs.put(d.desc.Digest, d.raw); err != nil {
			return nil, err
		}
	}
	err := s.change(ctx, func(c *engine.ImageChange) error {
		rec := engine.ImageRecord{ID: id, Config: img.config, Added: now(), LayerSizes: img.sizes, Parent: img.parent}
		if e, ok := s.index.get(id); ok {
			rec = e.rec
			if rec.Parent == "" {
				rec.Parent = img.parent
			}
		}
		if m := img.manifest; m != nil {
			rec.Manifests = withManifest(rec.Manifests, engine.ManifestRecord{Digest: m.desc.Digest.String(), MediaType: m.desc.MediaType})
		}
		e, err := newEntry(engine.ImageRecord{ID: id, Config: img.config})
		if err != nil {
			return err
		}
		for _, name := range img.names {
			s.nameIn(c, e, &rec, name.String())
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
	})
	if err != nil {
		return nil, err
	}
	e, _ := s.index.get(id)
	return e, nil
}

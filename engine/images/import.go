package images

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/layer"
)

// Import makes an image of a root's tar, of any compression. Instructions and name are judged before the tar is read.
func (s *Service) Import(ctx context.Context, req engine.ImportRequest, root io.Reader) (engine.ImageID, error) {
	names, err := optionalName("import", req.Ref)
	if err != nil {
		return "", err
	}
	config, err := applyChanges(engine.ImageConfig{}, req.Changes)
	if err != nil {
		return "", wrap("import", req.Ref, err)
	}
	platform := s.cfg.Host
	if req.Platform != nil {
		platform = *req.Platform
	}
	if root, err = beginsAsTar(root); err != nil {
		return "", wrap("import", req.Ref, err)
	}
	held := s.holds.lease()
	defer held.end()
	l, err := s.spoolLayer(ctx, root)
	if err != nil {
		return "", wrap("import", req.Ref, err)
	}
	defer spooled{path: l.path}.discard()
	img := fresh{names: names}
	if err := s.placeIn(ctx, held, "", l, &img); err != nil {
		return "", wrap("import", req.Ref, err)
	}
	created := now()
	doc := imageformat.JailImage{
		Created: &created, Comment: req.Message, DockerVersion: s.cfg.Version, Platform: formatPlatform(platform), Run: runConfigOf(config),
		DiffIDs: []digest.Digest{l.diffID}, History: []imageformat.History{{Created: &created, Comment: req.Message}},
	}
	if req.Jail != nil {
		err = setJail(&doc, req.Jail)
	}
	if err == nil {
		img.config, err = doc.Marshal()
	}
	if err != nil {
		return "", wrap("import", req.Ref, err)
	}
	e, err := s.register(ctx, held, img)
	if err != nil {
		return "", wrap("import", req.Ref, err)
	}
	s.tellTagged(e, names)
	s.publish("import", string(e.rec.ID), string(e.rec.ID), e)
	return e.rec.ID, nil
}

// beginsAsTar refuses, before all of it is put on disk, what cannot be a tar by its first header. What is compressed is judged
// when it is unpacked.
func beginsAsTar(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(512)
	if err != nil || layer.Detect(head) != layer.None {
		return b, nil //nolint:nilerr // whoever reads on meets the error again
	}
	if _, err := tar.NewReader(bytes.NewReader(head)).Next(); errors.Is(err, tar.ErrHeader) {
		return nil, imageError("", engine.Invalid, "", err)
	}
	return b, nil
}

// optionalName reads the name that a new image is to get, if it is to get one.
func optionalName(op, ref string) ([]reference.NamedTagged, error) {
	if ref == "" {
		return nil, nil
	}
	name, err := parseName(op, ref)
	return []reference.NamedTagged{name}, err
}

func (s *Service) tellTagged(e *entry, names []reference.NamedTagged) {
	for _, n := range names {
		s.publish("tag", string(e.rec.ID), reference.FamiliarString(n), e)
	}
}

// spoolLayer writes a tar to disk and learns its digests. gzip and zstd are kept as they come, because a registry takes
// them; of anything else the plain tar is kept.
func (s *Service) spoolLayer(ctx context.Context, r io.Reader) (localLayer, error) {
	came, err := s.blobs.spool(ctx, r)
	if err != nil {
		return localLayer{}, err
	}
	l, err := s.measure(ctx, came)
	if err != nil || l.path != came.path {
		came.discard()
	}
	return l, err
}

// measure learns what a spooled file unpacks to.
func (s *Service) measure(ctx context.Context, came spooled) (localLayer, error) {
	c, err := detectFile(came.path)
	if err != nil {
		return localLayer{}, err
	}
	l := localLayer{path: came.path, digest: came.digest, diffID: came.digest, size: came.size, mediaType: mediaTypeOf(c)}
	if c == layer.None {
		return l, nil
	}
	f, err := s.openLayer(l)
	if err != nil {
		return localLayer{}, err
	}
	defer f.Close()
	plain, _, err := layer.Decompress(reader{ctx, f})
	if err != nil {
		return localLayer{}, imageError("", engine.Invalid, "", err)
	}
	defer plain.Close()
	if l.mediaType != "" {
		hash := digest.SHA256.Digester()
		if _, err := io.CopyBuffer(struct{ io.Writer }{hash.Hash()}, plain, make([]byte, copyChunk)); err != nil {
			return localLayer{}, imageError("", engine.Invalid, "", err)
		}
		l.diffID = hash.Digest()
		return l, nil
	}
	out, err := s.blobs.spool(ctx, plain)
	if err != nil {
		return localLayer{}, imageError("", engine.Invalid, "", err)
	}
	return localLayer{path: out.path, digest: out.digest, diffID: out.digest, size: out.size, mediaType: imageformat.OCILayer}, nil
}

package images

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/layer"
)

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
		if ok && p.fit(layers) {
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

// fit reports whether layers can be sent as a manifest names them: docker save names plain tars, which no registry needs to
// be burdened with unless it was one that had them so.
func (p *push) fit(layers []imageformat.Descriptor) bool {
	for _, l := range layers {
		if b, _ := p.s.index.blob(l.Digest); !isCompressed(l.MediaType) && len(b.Sources) == 0 {
			return false
		}
	}
	return true
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

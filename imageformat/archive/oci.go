package archive

import (
	"encoding/json"
	"fmt"
	"path"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/xcengine/xc/imageformat"
)

// The fixed names of both layouts.
const (
	dockerManifest     = "manifest.json"
	legacyRepositories = "repositories"
	ociIndex           = ocispec.ImageIndexFile
	ociLayout          = ocispec.ImageLayoutFile
	blobs              = ocispec.ImageBlobsDir
)

// Annotations that name an image in index.json: containerd's holds a whole reference, OCI's usually a tag.
const annotationImageName = "io.containerd.image.name"

// ociManifest is an image manifest found through index.json.
type ociManifest struct {
	raw      []byte
	manifest imageformat.Manifest
	names    []string
	index    []byte // the outermost below index.json that names it; nil when none does
}

func blobName(d digest.Digest) string {
	return path.Join(blobs, string(d.Algorithm()), d.Encoded())
}

// maxIndexDepth bounds indexes that name indexes.
const maxIndexDepth = 8

// ociManifests follows index.json to every image manifest that is in the archive, in order, each once with all its names.
// An index may name manifests of other platforms that were not exported; those are passed over.
func (a *Archive) ociManifests() ([]ociManifest, error) {
	raw, _, err := a.document(ociIndex)
	if err != nil {
		return nil, err
	}
	// index.json itself need not state its media type.
	var top ocispec.Index
	if err := json.Unmarshal(raw, &top); err != nil {
		return nil, &imageformat.Error{Doc: "index", Err: err}
	}
	w := walk{archive: a, at: map[digest.Digest]int{}}
	for _, d := range top.Manifests {
		if err := w.visit(d, refName(d), nil, 0); err != nil {
			return nil, err
		}
	}
	return w.found, nil
}

// walk collects manifests below index.json.
type walk struct {
	archive *Archive
	found   []ociManifest
	at      map[digest.Digest]int // place in found
	seen    int
}

func (w *walk) visit(d imageformat.Descriptor, name string, outer []byte, depth int) error {
	if w.seen++; depth > maxIndexDepth || w.seen > defaultEntries {
		return &imageformat.Error{Doc: "index", Detail: "it is nested too deeply"}
	}
	if _, err := imageformat.ParseDigest(string(d.Digest)); err != nil {
		return err
	}
	if d.ArtifactType != "" || !imageformat.IsIndex(d.MediaType) && !imageformat.IsManifest(d.MediaType) {
		return nil
	}
	if i, ok := w.at[d.Digest]; ok {
		if name != "" {
			w.found[i].names = append(w.found[i].names, name)
		}
		return nil
	}
	if _, ok := w.archive.file(blobName(d.Digest)); !ok {
		return nil
	}
	raw, err := w.archive.verified(d)
	if err != nil {
		return err
	}
	if imageformat.IsIndex(d.MediaType) {
		index, err := imageformat.ParseIndex(d.MediaType, raw)
		if err != nil {
			return err
		}
		if outer == nil {
			outer = raw
		}
		for _, child := range index.Manifests {
			if err := w.visit(child, name, outer, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return w.add(d, raw, name, outer)
}

func (w *walk) add(d imageformat.Descriptor, raw []byte, name string, index []byte) error {
	m, err := imageformat.ParseManifest(d.MediaType, raw)
	if err != nil {
		return err
	}
	if !m.IsImage() {
		return nil
	}
	found := ociManifest{raw: raw, manifest: m, index: index}
	if name != "" {
		found.names = []string{name}
	}
	w.at[d.Digest] = len(w.found)
	w.found = append(w.found, found)
	return nil
}

// verified reads a document whose digest must be what its descriptor says.
func (a *Archive) verified(d imageformat.Descriptor) ([]byte, error) {
	raw, _, err := a.document(blobName(d.Digest))
	if err != nil {
		return nil, err
	}
	if got := d.Digest.Algorithm().FromBytes(raw); got != d.Digest {
		return nil, &imageformat.Error{Doc: "archive", Detail: fmt.Sprintf("blob %s has the digest %s", d.Digest, got)}
	}
	return raw, nil
}

// ociImages reads an archive that is only an OCI layout.
func (a *Archive) ociImages() error {
	manifests, err := a.ociManifests()
	if err != nil {
		return err
	}
	for _, m := range manifests {
		img, err := a.ociImage(m)
		if err != nil {
			return err
		}
		a.Images = append(a.Images, img)
	}
	if len(a.Images) == 0 {
		return &imageformat.Error{Doc: "archive", Detail: "it holds no image"}
	}
	return nil
}

func (a *Archive) ociImage(m ociManifest) (Image, error) {
	img := Image{Names: m.names}
	if _, err := a.verified(m.manifest.Config); err != nil {
		return Image{}, err
	}
	if err := a.config(&img, blobName(m.manifest.Config.Digest)); err != nil {
		return Image{}, err
	}
	diffIDs := img.ConfigFile.DiffIDs
	if len(diffIDs) != len(m.manifest.Layers) {
		return Image{}, &imageformat.Error{
			Doc: "manifest", Detail: fmt.Sprintf("layers length mismatch: expected %d, got %d", len(m.manifest.Layers), len(diffIDs)),
		}
	}
	for i, d := range m.manifest.Layers {
		b, ok := a.file(blobName(d.Digest))
		if !ok {
			return Image{}, &imageformat.Error{Doc: "archive", Detail: fmt.Sprintf("layer %s is missing", d.Digest)}
		}
		if d.Digest.Algorithm() == digest.SHA256 && b.Digest != d.Digest {
			return Image{}, &imageformat.Error{Doc: "archive", Detail: fmt.Sprintf("blob %s has the digest %s", d.Digest, b.Digest)}
		}
		img.Layers = append(img.Layers, Layer{Blob: b, DiffID: diffIDs[i]})
	}
	img.describe(m)
	return img, nil
}

func refName(d imageformat.Descriptor) string {
	if name := d.Annotations[annotationImageName]; name != "" {
		return name
	}
	return d.Annotations[ocispec.AnnotationRefName]
}

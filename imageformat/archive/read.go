package archive

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/layer"
)

// Limits bound what an archive may make of itself. Zero members are without bound, but for Entries.
type Limits struct {
	Bytes   int64 // of all files, uncompressed
	Entries int   // 0 is 100,000
}

const defaultEntries = 100_000

// Blob is a file of an archive, spooled to disk.
type Blob struct {
	Path   string // below the directory given to Open
	Digest digest.Digest
	Size   int64
}

// Open opens the spooled file.
func (b Blob) Open() (*os.File, error) { return os.Open(b.Path) }

// Layer is one layer of an image.
type Layer struct {
	Blob                 // as it came: compressed or not
	DiffID digest.Digest // what the config says; whoever applies the layer checks it
	// MediaType and Annotations are set when an OCI manifest describes the layer.
	MediaType   string
	Annotations map[string]string
}

// Image is one image of an archive.
type Image struct {
	// Names are references as the archive has them: "busybox:latest", "docker.io/library/busybox:latest". Those that are
	// not well formed have not been left out.
	Names  []string
	Config Blob
	// ConfigRaw is the config's bytes, ConfigFile what they say.
	ConfigRaw  []byte
	ConfigFile imageformat.JailImage
	Layers     []Layer // bottom first
	// Manifest is the OCI or Docker manifest's bytes; nil in a plain docker-archive.
	Manifest          []byte
	ManifestMediaType string
	// Index is the index that names the manifest beside those of other platforms; nil when there is none.
	Index  []byte
	Parent string // image id, from manifest.json
}

// Archive is an opened archive. Files that the caller moved away from their paths are his.
type Archive struct {
	Images []Image
	dir    string
	files  map[string]Blob
	links  map[string]string
	// configs are what was read of each config, by digest: an archive may name one as often as it likes.
	configs map[digest.Digest]Image
}

// Open reads r, of any compression, to its end. Files are made in a new directory below dir, which Close removes.
func Open(ctx context.Context, r io.Reader, dir string, limits Limits) (*Archive, error) {
	plain, _, err := layer.Decompress(r)
	if err != nil {
		return nil, &imageformat.Error{Doc: "archive", Err: err}
	}
	defer plain.Close()
	own, err := os.MkdirTemp(dir, "load-")
	if err != nil {
		return nil, err
	}
	a := &Archive{dir: own, files: map[string]Blob{}, links: map[string]string{}, configs: map[digest.Digest]Image{}}
	if err = a.spool(ctx, plain, limits); err == nil {
		err = a.findImages()
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Close removes what Open made and the caller did not move. It may be repeated.
func (a *Archive) Close() error { return os.RemoveAll(a.dir) }

func (a *Archive) spool(ctx context.Context, r io.Reader, limits Limits) error {
	if limits.Entries == 0 {
		limits.Entries = defaultEntries
	}
	tr := tar.NewReader(r)
	var total int64
	buf := make([]byte, 1<<20)
	for n := 0; ; n++ {
		hdr, err := tr.Next()
		if err == io.EOF && n > 0 {
			// The rest of the stream is read, so that its sender can finish.
			_, err = io.CopyBuffer(io.Discard, r, buf)
			return err
		}
		if err != nil {
			return &imageformat.Error{Doc: "archive", Err: err}
		}
		if n >= limits.Entries {
			return &imageformat.Error{Doc: "archive", Detail: fmt.Sprintf("more than %d entries", limits.Entries)}
		}
		name := clean(hdr.Name)
		switch hdr.Typeflag {
		case tar.TypeReg:
			total += hdr.Size
			if limits.Bytes > 0 && total > limits.Bytes {
				return &imageformat.Error{Doc: "archive", Detail: fmt.Sprintf("more than %d bytes", limits.Bytes)}
			}
			blob, err := a.spoolFile(ctx, tr, n, buf)
			if err != nil {
				return fmt.Errorf("read %s: %w", hdr.Name, err)
			}
			a.files[name] = blob
			delete(a.links, name)
		case tar.TypeSymlink:
			// Docker before 25 wrote a layer that occurs twice as a link.
			a.links[name] = clean(path.Join(path.Dir(name), hdr.Linkname))
		case tar.TypeLink:
			a.links[name] = clean(hdr.Linkname)
		}
	}
}

func (a *Archive) spoolFile(ctx context.Context, r io.Reader, n int, buf []byte) (Blob, error) {
	f, err := os.OpenFile(filepath.Join(a.dir, strconv.Itoa(n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Blob{}, err
	}
	hash := sha256.New()
	size, err := io.CopyBuffer(io.MultiWriter(f, hash), contextReader{ctx, r}, buf)
	if err := errors.Join(err, f.Close()); err != nil {
		return Blob{}, err
	}
	return Blob{Path: f.Name(), Digest: digest.NewDigest(digest.SHA256, hash), Size: size}, nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read reads unless the context ended.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// clean makes one key of all spellings of a name.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

const maxLinks = 16

func (a *Archive) file(name string) (Blob, bool) {
	name = clean(name)
	for range maxLinks {
		target, ok := a.links[name]
		if !ok {
			break
		}
		name = target
	}
	b, ok := a.files[name]
	return b, ok
}

// document reads a small file of the archive.
func (a *Archive) document(name string) ([]byte, Blob, error) {
	b, ok := a.file(name)
	if !ok {
		return nil, Blob{}, &imageformat.Error{Doc: "archive", Detail: fmt.Sprintf("%s is missing", name)}
	}
	if b.Size > imageformat.MaxDocument {
		return nil, Blob{}, &imageformat.Error{Doc: "archive", Detail: fmt.Sprintf("%s has %d bytes", name, b.Size)}
	}
	raw, err := os.ReadFile(b.Path)
	return raw, b, err
}

func (a *Archive) findImages() error {
	_, docker := a.file(dockerManifest)
	_, oci := a.file(ociIndex)
	switch {
	case docker:
		return a.dockerImages(oci)
	case oci:
		return a.ociImages()
	}
	if _, ok := a.file(legacyRepositories); ok {
		return &imageformat.Error{Doc: "archive", Detail: "it was made by Docker before 1.10; that format is not supported"}
	}
	return &imageformat.Error{Doc: "archive", Detail: "it has neither manifest.json nor index.json"}
}

// dockerItem is one element of manifest.json.
type dockerItem struct {
	Config       string
	RepoTags     []string
	Layers       []string
	Parent       string                                   `json:",omitempty"`
	LayerSources map[digest.Digest]imageformat.Descriptor `json:",omitempty"`
}

func (a *Archive) dockerImages(withOCI bool) error {
	raw, _, err := a.document(dockerManifest)
	if err != nil {
		return err
	}
	var items []dockerItem
	if err := json.Unmarshal(raw, &items); err != nil {
		return &imageformat.Error{Doc: "archive", Detail: dockerManifest, Err: err}
	}
	manifests := map[digest.Digest]ociManifest{}
	if withOCI {
		// An index that cannot be read spoils nothing here: manifest.json alone is a whole archive.
		if found, err := a.ociManifests(); err == nil {
			for _, m := range found {
				manifests[m.manifest.Config.Digest] = m
			}
		}
	}
	for _, item := range items {
		img, err := a.dockerImage(item)
		if err != nil {
			return err
		}
		if m, ok := manifests[img.Config.Digest]; ok && sameLayers(m.manifest, img.Layers) {
			img.describe(m)
			if len(img.Names) == 0 {
				img.Names = m.names // that it shares with an image for another platform
			}
		}
		a.Images = append(a.Images, img)
	}
	return nil
}

func (a *Archive) dockerImage(item dockerItem) (Image, error) {
	img := Image{Names: item.RepoTags, Parent: item.Parent}
	if err := a.config(&img, item.Config); err != nil {
		return Image{}, err
	}
	diffIDs := img.ConfigFile.DiffIDs
	if len(item.Layers) != len(diffIDs) {
		return Image{}, &imageformat.Error{
			Doc: "manifest", Detail: fmt.Sprintf("layers length mismatch: expected %d, got %d", len(item.Layers), len(diffIDs)),
		}
	}
	for i, name := range item.Layers {
		b, ok := a.file(name)
		if !ok {
			return Image{}, &imageformat.Error{Doc: "archive", Detail: fmt.Sprintf("layer %s is missing", name)}
		}
		img.Layers = append(img.Layers, Layer{Blob: b, DiffID: diffIDs[i]})
	}
	return img, nil
}

func (a *Archive) config(img *Image, name string) error {
	blob, _ := a.file(name)
	have, ok := a.configs[blob.Digest]
	if !ok {
		raw, blob, err := a.document(name)
		if err != nil {
			return err
		}
		have = Image{Config: blob, ConfigRaw: raw}
		if have.ConfigFile, err = imageformat.ParseConfig(raw); err != nil {
			return err
		}
		a.configs[blob.Digest] = have
	}
	img.Config, img.ConfigRaw, img.ConfigFile = have.Config, have.ConfigRaw, have.ConfigFile
	return nil
}

func sameLayers(m imageformat.Manifest, layers []Layer) bool {
	if len(m.Layers) != len(layers) {
		return false
	}
	for i, l := range layers {
		if m.Layers[i].Digest != l.Digest {
			return false
		}
	}
	return true
}

// describe adds what the manifest knows.
func (img *Image) describe(m ociManifest) {
	img.Manifest, img.ManifestMediaType, img.Index = m.raw, m.manifest.MediaType, m.index
	for i := range img.Layers {
		img.Layers[i].MediaType = m.manifest.Layers[i].MediaType
		img.Layers[i].Annotations = m.manifest.Layers[i].Annotations
	}
}

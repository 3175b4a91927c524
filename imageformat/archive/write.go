package archive

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/xcengine/xc/imageformat"
)

// Name is one name of an exported image.
type Name struct {
	Familiar string // "busybox:latest", for manifest.json
	Full     string // "docker.io/library/busybox:latest", for index.json
}

// Content is a layer to export: its descriptor, and what opens its bytes, of exactly that digest and size.
type Content struct {
	imageformat.Descriptor
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Export is one image to write.
type Export struct {
	Names []Name
	// Also are names that belong to an image before it in the first place: it is the same for another platform. Only an index knows
	// that. A name without an image's platform means one image.
	Also   []Name
	Config []byte
	Layers []Content // bottom first
	// Manifest is kept as it is when it is given; else an OCI one is made.
	Manifest          []byte
	ManifestMediaType string
	Index             []byte // that named the manifest where the image came from; nil when there was none, or it is not kept
	Parent            string // image id; empty if it is not exported too
	// Created is the time that config and layers have in the tar, as dockerd's; zero for 1970. A blob that several images share
	// has the first one's.
	Created time.Time
}

// Write writes images as one tar. Layers that several share are written once.
func Write(ctx context.Context, w io.Writer, images []Export) error {
	out := writer{tw: tar.NewWriter(w), blobs: map[digest.Digest]source{}}
	var items []dockerItem
	var found []described
	repositories := map[string]map[string]string{}
	for _, img := range images {
		item, d, err := out.add(img)
		if err != nil {
			return err
		}
		items, found = append(items, item), append(found, described{img, d})
		addRepositories(repositories, img)
	}
	index, err := out.index(found)
	if err != nil {
		return err
	}
	if err := out.writeBlobs(ctx); err != nil {
		return err
	}
	indexRaw, err := index.Marshal()
	if err != nil {
		return err
	}
	manifestRaw, err := line(items)
	if err != nil {
		return err
	}
	files := []struct {
		name string
		raw  []byte
	}{
		{ociIndex, indexRaw},
		{dockerManifest, manifestRaw},
		{ociLayout, []byte(`{"imageLayoutVersion": "` + ocispec.ImageLayoutVersion + `"}`)},
	}
	if len(repositories) > 0 {
		raw, err := line(repositories)
		if err != nil {
			return err
		}
		files = append(files, struct {
			name string
			raw  []byte
		}{legacyRepositories, raw})
	}
	for _, f := range files {
		if err := out.bytes(f.name, f.raw, epoch); err != nil {
			return err
		}
	}
	return out.tw.Close()
}

// line is JSON with the newline that dockerd writes.
func line(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	return append(raw, '\n'), err
}

// addRepositories fills the file that Docker before 1.10 read; other tools still look for tags in it.
func addRepositories(all map[string]map[string]string, img Export) {
	if len(img.Layers) == 0 {
		return
	}
	for _, n := range img.Names {
		i := strings.LastIndexByte(n.Familiar, ':')
		if i < 0 {
			continue
		}
		repo, tag := n.Familiar[:i], n.Familiar[i+1:]
		if all[repo] == nil {
			all[repo] = map[string]string{}
		}
		all[repo][tag] = img.Layers[len(img.Layers)-1].Digest.Encoded()
	}
}

// source is a blob's size and bytes.
type source struct {
	size int64
	open func(ctx context.Context) (io.ReadCloser, error)
	raw  []byte
	time time.Time
}

type writer struct {
	tw    *tar.Writer
	blobs map[digest.Digest]source
}

// add notes an image's blobs and describes it in both layouts' words.
func (w *writer) add(img Export) (dockerItem, imageformat.Descriptor, error) {
	config := imageformat.DescriptorOf(imageformat.OCIConfig, img.Config)
	created := epoch
	if img.Created.After(epoch) {
		created = img.Created.Truncate(time.Second)
	}
	w.note(config.Digest, source{raw: img.Config, size: config.Size, time: created})
	item := dockerItem{Config: blobName(config.Digest), Parent: img.Parent, Layers: []string{}}
	m := imageformat.Manifest{Config: config}
	for _, l := range img.Layers {
		if _, err := imageformat.ParseDigest(string(l.Digest)); err != nil {
			return dockerItem{}, imageformat.Descriptor{}, err
		}
		w.note(l.Digest, source{size: l.Size, open: l.Open, time: created})
		item.Layers = append(item.Layers, blobName(l.Digest))
		d := l.Descriptor
		if d.MediaType == "" {
			d.MediaType = imageformat.OCILayer
		}
		m.Layers = append(m.Layers, d)
	}
	raw, mediaType := img.Manifest, img.ManifestMediaType
	if raw == nil {
		var err error
		if raw, err = m.Marshal(); err != nil {
			return dockerItem{}, imageformat.Descriptor{}, err
		}
		mediaType = imageformat.OCIManifest
	}
	manifest := imageformat.DescriptorOf(mediaType, raw)
	w.note(manifest.Digest, source{raw: raw, size: manifest.Size, time: epoch})
	for _, n := range img.Names {
		item.RepoTags = append(item.RepoTags, n.Familiar)
	}
	return item, manifest, nil
}

// described is an image with its manifest.
type described struct {
	Export
	manifest imageformat.Descriptor
}

// index is index.json: each image under its names. A name of several is that of an index of theirs.
func (w *writer) index(all []described) (imageformat.Index, error) {
	top := imageformat.Index{Manifests: []imageformat.Descriptor{}}
	for _, img := range all {
		if len(img.Names)+len(img.Also) == 0 {
			top.Manifests = append(top.Manifests, img.manifest)
		}
		for _, n := range img.Names {
			d := img.manifest
			if beside := slices.DeleteFunc(slices.Clone(all), func(o described) bool { return !slices.Contains(o.Also, n) }); len(beside) > 0 {
				var err error
				if d, err = w.platforms(append([]described{img}, beside...)); err != nil {
					return top, err
				}
			}
			d.Annotations = map[string]string{
				annotationImageName:       n.Full,
				ocispec.AnnotationRefName: n.Full[strings.LastIndexByte(n.Full, ':')+1:],
			}
			top.Manifests = append(top.Manifests, d)
		}
	}
	return top, nil
}

// platforms notes an index of images for several platforms: the one that they came by, when it names nothing else.
func (w *writer) platforms(all []described) (imageformat.Descriptor, error) {
	if d, ok := cameBy(all); ok {
		w.note(d.Digest, source{raw: all[0].Index, size: d.Size, time: epoch})
		return d, nil
	}
	var index imageformat.Index
	for _, img := range all {
		config, err := imageformat.ParseConfig(img.Config)
		if err != nil {
			return imageformat.Descriptor{}, err
		}
		d := img.manifest
		d.Platform = &config.Platform
		index.Manifests = append(index.Manifests, d)
	}
	raw, err := index.Marshal()
	if err != nil {
		return imageformat.Descriptor{}, err
	}
	d := imageformat.DescriptorOf(imageformat.OCIIndex, raw)
	w.note(d.Digest, source{raw: raw, size: d.Size, time: epoch})
	return d, nil
}

func cameBy(all []described) (imageformat.Descriptor, bool) {
	raw := all[0].Index
	if raw == nil {
		return imageformat.Descriptor{}, false
	}
	index, err := imageformat.ParseIndex("", raw)
	if err != nil {
		return imageformat.Descriptor{}, false
	}
	for _, d := range index.Manifests {
		if !slices.ContainsFunc(all, func(img described) bool { return img.manifest.Digest == d.Digest }) {
			return imageformat.Descriptor{}, false // some programs refuse an index of which manifests are missing
		}
	}
	for _, img := range all {
		if !slices.ContainsFunc(index.Manifests, func(d imageformat.Descriptor) bool { return img.manifest.Digest == d.Digest }) {
			return imageformat.Descriptor{}, false
		}
	}
	return imageformat.DescriptorOf(index.MediaType, raw), true
}

func (w *writer) note(d digest.Digest, s source) {
	if _, ok := w.blobs[d]; !ok {
		w.blobs[d] = s
	}
}

func (w *writer) writeBlobs(ctx context.Context) error {
	names := map[string]source{}
	dirs := map[string]struct{}{blobs + "/": {}}
	for d, s := range w.blobs {
		name := blobName(d)
		names[name] = s
		dirs[path.Dir(name)+"/"] = struct{}{}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := w.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: epoch}); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := w.blob(ctx, name, names[name]); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

var epoch = time.Unix(0, 0)

func (w *writer) blob(ctx context.Context, name string, s source) error {
	if s.open == nil {
		return w.bytes(name, s.raw, s.time)
	}
	r, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := w.header(name, s.size, s.time); err != nil {
		return err
	}
	n, err := io.CopyBuffer(w.tw, contextReader{ctx, r}, make([]byte, 1<<20))
	if err == nil && n != s.size {
		err = fmt.Errorf("%d bytes instead of %d: %w", n, s.size, io.ErrUnexpectedEOF)
	}
	return err
}

func (w *writer) bytes(name string, raw []byte, changed time.Time) error {
	if err := w.header(name, int64(len(raw)), changed); err != nil {
		return err
	}
	_, err := w.tw.Write(raw)
	return err
}

func (w *writer) header(name string, size int64, changed time.Time) error {
	return w.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: changed})
}

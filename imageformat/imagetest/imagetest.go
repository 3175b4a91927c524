// Package imagetest makes small images in memory for tests: layers of named files, whole images with their documents, and
// archives of them. What it makes is deterministic. It panics where its caller asks for the impossible.
package imagetest

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/archive"
	"github.com/xcengine/xc/imageformat/layer"
)

// Epoch is the time of everything that is made.
var Epoch = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

// Entry is one entry of a layer's tar.
type Entry struct {
	tar.Header
	Body string
}

// File is a regular file of mode 0644, or of the given one.
func File(name, body string, mode ...int64) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(body)), Mode: modeOr(mode, 0o644)}, Body: body}
}

// Dir is a directory of mode 0755, or of the given one.
func Dir(name string, mode ...int64) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: modeOr(mode, 0o755)}}
}

// Symlink is a symbolic link.
func Symlink(name, target string) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}}
}

// Link is a hard link.
func Link(name, target string) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o644}}
}

func modeOr(mode []int64, otherwise int64) int64 {
	if len(mode) > 0 {
		return mode[0]
	}
	return otherwise
}

// Tar writes entries as a layer's tar. Entries without a time get Epoch.
func Tar(entries ...Entry) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		hdr := e.Header
		if hdr.ModTime.IsZero() && hdr.Typeflag != tar.TypeXGlobalHeader {
			hdr.ModTime = Epoch
		}
		must(w.WriteHeader(&hdr))
		_, err := io.WriteString(w, e.Body)
		must(err)
	}
	must(w.Close())
	return buf.Bytes()
}

// Compress returns b compressed.
func Compress(b []byte, as layer.Compression) []byte {
	var buf bytes.Buffer
	w, err := layer.Compress(&buf, as)
	must(err)
	_, err = w.Write(b)
	must(err)
	must(w.Close())
	return buf.Bytes()
}

// Image is a whole image.
type Image struct {
	Config   []byte // the config document
	Manifest []byte // the OCI manifest of gzip layers
	Diffs    [][]byte
	DiffIDs  []digest.Digest
	Blobs    [][]byte // Diffs compressed, as the manifest names them
}

// New makes an image of layers' tars, lowest first, for linux/amd64 unless edit says otherwise. edit may change the config
// before it is written; it may be nil.
func New(edit func(*imageformat.JailImage), diffs ...[]byte) Image {
	created := Epoch
	config := imageformat.JailImage{Created: &created, Platform: imageformat.Platform{OS: "linux", Architecture: "amd64"}}
	img := Image{Diffs: diffs}
	var m imageformat.Manifest
	for _, diff := range diffs {
		blob := Compress(diff, layer.Gzip)
		img.Blobs = append(img.Blobs, blob)
		img.DiffIDs = append(img.DiffIDs, digest.FromBytes(diff))
		m.Layers = append(m.Layers, imageformat.DescriptorOf(imageformat.OCILayerGzip, blob))
		config.History = append(config.History, imageformat.History{Created: &created, CreatedBy: "imagetest"})
	}
	config.DiffIDs = img.DiffIDs
	if edit != nil {
		edit(&config)
	}
	var err error
	img.Config, err = config.Marshal()
	must(err)
	m.Config = imageformat.DescriptorOf(imageformat.OCIConfig, img.Config)
	img.Manifest, err = m.Marshal()
	must(err)
	return img
}

// ID is the image's id: the digest of its config.
func (img Image) ID() digest.Digest { return digest.FromBytes(img.Config) }

// Digest is the digest of its manifest.
func (img Image) Digest() digest.Digest { return digest.FromBytes(img.Manifest) }

// Export describes the image for archive.Write, under familiar names such as "busybox:latest".
func (img Image) Export(names ...string) archive.Export {
	e := archive.Export{Config: img.Config, Manifest: img.Manifest, ManifestMediaType: imageformat.OCIManifest}
	for _, n := range names {
		e.Names = append(e.Names, archive.Name{Familiar: n, Full: "docker.io/library/" + n})
	}
	for _, blob := range img.Blobs {
		e.Layers = append(e.Layers, archive.Content{
			Descriptor: imageformat.DescriptorOf(imageformat.OCILayerGzip, blob),
			Open:       func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob)), nil },
		})
	}
	return e
}

// Archive is the tar that docker load takes.
func (img Image) Archive(names ...string) []byte {
	var buf bytes.Buffer
	must(archive.Write(context.Background(), &buf, []archive.Export{img.Export(names...)}))
	return buf.Bytes()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

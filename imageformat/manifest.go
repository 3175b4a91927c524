package imageformat

import (
	_ "crypto/sha256" // the algorithms of digests; go-digest knows those that are linked in
	_ "crypto/sha512"
	"encoding/json"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Descriptor points at a document or layer: media type, digest, size in bytes.
type Descriptor = ocispec.Descriptor

// Manifest names an image's config and its layers, bottom first.
type Manifest struct {
	MediaType    string
	ArtifactType string // set for what is no image
	Config       Descriptor
	Layers       []Descriptor
	Subject      *Descriptor
	Annotations  map[string]string
}

// Index names manifests, and other indexes, usually one for each platform.
type Index struct {
	MediaType    string
	ArtifactType string
	Manifests    []Descriptor
	Subject      *Descriptor
	Annotations  map[string]string
}

// maxLayers bounds a manifest; Docker's own limit is 127, and no file system stacks as many as this.
const maxLayers = 1024

// envelope has every key that tells documents apart. A document that claims to be two things is refused: its digest would
// name different images for different readers (CVE-2021-41190).
type envelope struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     string          `json:"mediaType"`
	Config        json.RawMessage `json:"config"`
	Layers        json.RawMessage `json:"layers"`
	Manifests     json.RawMessage `json:"manifests"`
	FSLayers      json.RawMessage `json:"fsLayers"`
}

// DetectMediaType tells what a document is from its own words: an index or a manifest, OCI or Docker. hint is what the
// carrier said (a Content-Type, a descriptor) and decides where the document is silent; it may be empty.
func DetectMediaType(raw []byte, hint string) (string, error) {
	if len(raw) > MaxDocument {
		return "", invalid("manifest", "%d bytes are more than %d", len(raw), MaxDocument)
	}
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return "", &Error{Doc: "manifest", Err: err}
	}
	mt := bare(e.MediaType)
	if mt == "" {
		mt = bare(hint)
	}
	switch {
	case e.SchemaVersion == 1 || e.FSLayers != nil || mt == DockerSchema1 || mt == DockerSchema1Signed:
		return "", invalid("manifest", "Docker image format v1 (manifest schema 1) is not supported")
	case e.Manifests != nil && (e.Layers != nil || e.Config != nil):
		return "", invalid("manifest", "it is both an index and a manifest")
	case IsIndex(mt) && e.Manifests != nil, IsManifest(mt) && e.Layers != nil && e.Config != nil:
		return mt, nil
	case IsIndex(mt), IsManifest(mt):
		return "", invalid("manifest", "its content does not fit its media type %s", mt)
	case e.MediaType != "":
		return "", invalid("manifest", "unknown media type %q", e.MediaType)
	case e.Manifests != nil:
		return OCIIndex, nil
	case e.Layers != nil && e.Config != nil:
		return OCIManifest, nil
	}
	return "", invalid("manifest", "it is neither an index nor a manifest")
}

// ParseManifest reads an image manifest. mediaType is what its carrier said of it and may be empty.
func ParseManifest(mediaType string, raw []byte) (Manifest, error) {
	mt, err := DetectMediaType(raw, mediaType)
	if err != nil {
		return Manifest{}, err
	}
	if !IsManifest(mt) {
		return Manifest{}, invalid("manifest", "it is an index")
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return Manifest{}, &Error{Doc: "manifest", Err: err}
	}
	if len(m.Layers) > maxLayers {
		return Manifest{}, invalid("manifest", "%d layers", len(m.Layers))
	}
	for _, d := range append([]Descriptor{m.Config}, m.Layers...) {
		if err := checkDescriptor("manifest", d); err != nil {
			return Manifest{}, err
		}
	}
	return Manifest{
		MediaType: mt, ArtifactType: m.ArtifactType, Config: m.Config, Layers: m.Layers, Subject: m.Subject, Annotations: m.Annotations,
	}, nil
}

// IsImage reports whether the manifest is one of an image and not of some other artifact, such as an attestation.
func (m Manifest) IsImage() bool {
	if !IsConfig(m.Config.MediaType) {
		return false
	}
	for _, l := range m.Layers {
		if !IsLayer(l.MediaType) {
			return false
		}
	}
	return true
}

// Size is the sum of config and layers in bytes, as they are transferred.
func (m Manifest) Size() int64 {
	n := m.Config.Size
	for _, l := range m.Layers {
		n += l.Size
	}
	return n
}

// Marshal writes the manifest. Without a media type it is an OCI one.
func (m Manifest) Marshal() ([]byte, error) {
	mt := m.MediaType
	if mt == "" {
		mt = OCIManifest
	}
	layers := m.Layers
	if layers == nil {
		layers = []Descriptor{}
	}
	return json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: mt, ArtifactType: m.ArtifactType, Config: m.Config,
		Layers: layers, Subject: m.Subject, Annotations: m.Annotations,
	})
}

// ParseIndex reads an index or manifest list. mediaType is what its carrier said of it and may be empty.
func ParseIndex(mediaType string, raw []byte) (Index, error) {
	mt, err := DetectMediaType(raw, mediaType)
	if err != nil {
		return Index{}, err
	}
	if !IsIndex(mt) {
		return Index{}, invalid("index", "it is a manifest")
	}
	var x ocispec.Index
	if err := json.Unmarshal(raw, &x); err != nil {
		return Index{}, &Error{Doc: "index", Err: err}
	}
	for _, d := range x.Manifests {
		if err := checkDescriptor("index", d); err != nil {
			return Index{}, err
		}
	}
	return Index{
		MediaType: mt, ArtifactType: x.ArtifactType, Manifests: x.Manifests, Subject: x.Subject, Annotations: x.Annotations,
	}, nil
}

// Marshal writes the index. Without a media type it is an OCI one.
func (x Index) Marshal() ([]byte, error) {
	mt := x.MediaType
	if mt == "" {
		mt = OCIIndex
	}
	manifests := x.Manifests
	if manifests == nil {
		manifests = []Descriptor{}
	}
	return json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: mt, ArtifactType: x.ArtifactType, Manifests: manifests,
		Subject: x.Subject, Annotations: x.Annotations,
	})
}

// DescriptorOf describes a document by its bytes.
func DescriptorOf(mediaType string, raw []byte) Descriptor {
	return Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
}

// ParseDigest checks that s is a digest of a known algorithm with the right number of lower-case hexadecimal digits.
func ParseDigest(s string) (digest.Digest, error) {
	d, err := digest.Parse(s)
	if err != nil {
		return "", invalid("digest", "%q: %v", s, err)
	}
	return d, nil
}

func checkDescriptor(doc string, d Descriptor) error {
	if _, err := ParseDigest(string(d.Digest)); err != nil {
		return &Error{Doc: doc, Err: err}
	}
	if d.Size < 0 {
		return invalid(doc, "%s has the size %d", d.Digest, d.Size)
	}
	return nil
}

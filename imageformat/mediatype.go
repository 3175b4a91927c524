package imageformat

import (
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Media types of the documents and layers that are read; those that are written are the OCI ones unless a caller mirrors
// what it got. OCI: image-spec media-types.md; Docker: distribution docs/content/spec/manifest-v2-2.md.
const (
	OCIIndex      = ocispec.MediaTypeImageIndex
	OCIManifest   = ocispec.MediaTypeImageManifest
	OCIConfig     = ocispec.MediaTypeImageConfig
	OCILayer      = ocispec.MediaTypeImageLayer
	OCILayerGzip  = ocispec.MediaTypeImageLayerGzip
	OCILayerZstd  = ocispec.MediaTypeImageLayerZstd
	OCIEmptyJSON  = ocispec.MediaTypeEmptyJSON
	DockerIndex   = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerImage   = "application/vnd.docker.distribution.manifest.v2+json"
	DockerConfig  = "application/vnd.docker.container.image.v1+json"
	DockerLayer   = "application/vnd.docker.image.rootfs.diff.tar"
	DockerLayerGz = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	DockerLayerZs = "application/vnd.docker.image.rootfs.diff.tar.zstd"
	DockerForeign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
	// DockerSchema1 and DockerSchema1Signed are named only to be refused in words.
	DockerSchema1       = "application/vnd.docker.distribution.manifest.v1+json"
	DockerSchema1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
)

// Accept lists the media types of manifests and indexes that ParseManifest and ParseIndex read, for an Accept header.
func Accept() []string { return []string{OCIIndex, OCIManifest, DockerIndex, DockerImage} }

// IsIndex reports whether the media type, parameters aside, is that of an index or manifest list.
func IsIndex(mediaType string) bool {
	switch bare(mediaType) {
	case OCIIndex, DockerIndex:
		return true
	}
	return false
}

// IsManifest reports whether the media type, parameters aside, is that of an image manifest.
func IsManifest(mediaType string) bool {
	switch bare(mediaType) {
	case OCIManifest, DockerImage:
		return true
	}
	return false
}

// IsConfig reports whether the media type is that of an image configuration.
func IsConfig(mediaType string) bool {
	switch bare(mediaType) {
	case OCIConfig, DockerConfig:
		return true
	}
	return false
}

// IsLayer reports whether the media type is that of a file system layer, whatever its compression.
func IsLayer(mediaType string) bool {
	mt := bare(mediaType)
	return strings.HasPrefix(mt, OCILayer) || strings.HasPrefix(mt, nondistributable) ||
		strings.HasPrefix(mt, DockerLayer) || mt == DockerForeign
}

const nondistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar"

// bare strips parameters, as Content-Type headers carry them.
func bare(mediaType string) string {
	mt, _, _ := strings.Cut(mediaType, ";")
	return strings.ToLower(strings.TrimSpace(mt))
}

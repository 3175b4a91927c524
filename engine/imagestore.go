package engine

import "time"

// ImageRecord is what is kept of an image across restarts, beside its documents and layers.
type ImageRecord struct {
	ID         ImageID
	Config     []byte // the document whose digest ID is
	Parent     ImageID
	Added      time.Time
	LastTagged time.Time
	LayerSizes []int64 // bytes of each layer unpacked, bottom first
	// Intermediate: the result of a step of a build that nobody asked for as an image.
	Intermediate bool
	// Manifests are those that the image came with or was pushed with, the newest first.
	Manifests []ManifestRecord
}

// ManifestRecord is a manifest of an image and the index that named it. Both documents are kept by digest.
type ManifestRecord struct {
	Digest    string // "sha256:…"
	MediaType string
	Index     string // "sha256:…", empty when no index named it
}

// ImageName ties a name to an image. A name has at most one image for each platform.
type ImageName struct {
	Name     string // canonical, with a tag or with a digest: "docker.io/library/alpine:3", "docker.io/library/alpine@sha256:…"
	Platform string // "os/arch[/variant]" of the image
	Image    ImageID
	Set      time.Time
}

// BlobRecord is one kept layer blob.
type BlobRecord struct {
	Digest    string // "sha256:…"
	DiffID    string // of what it unpacks to
	MediaType string
	Size      int64
	// Sources are canonical names of repositories that are known to hold the blob, the newest last.
	Sources []string
	// Absent: its bytes are not kept here, only what is known of it.
	Absent bool
}

// ImageState is everything that is kept of images.
type ImageState struct {
	Images []ImageRecord
	Names  []ImageName
	Blobs  []BlobRecord
}

// ImageChange is one step from a state to the next; all of it happens or nothing. What is deleted need not exist, and is
// deleted before anything is put.
type ImageChange struct {
	Delete      []ImageID
	DeleteNames []ImageName // by Name and Platform
	DeleteBlobs []string    // digests
	Put         []ImageRecord
	PutNames    []ImageName
	PutBlobs    []BlobRecord
}

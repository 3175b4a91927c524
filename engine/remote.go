package engine

import "io"

// Remote names a repository of a registry and says who asks for it.
type Remote struct {
	Repository string      // canonical: "docker.io/library/alpine", "localhost:5000/team/app"
	Auth       Credentials // the zero value takes what is stored for the registry, else nobody's
	Insecure   bool        // accepts plain HTTP and unknown certificates, also where the configuration does not
}

// RemoteManifest is a manifest or index as a registry has it. Its digest was computed from Body, or told by the registry
// where Body is nil.
type RemoteManifest struct {
	MediaType string // as the registry said, without parameters; may be empty
	Digest    string // "sha256:…"
	Size      int64
	Body      []byte
}

// RemoteBlob is an open blob of a registry. Its bytes are not verified: whoever reads them checks the digest.
type RemoteBlob struct {
	io.ReadCloser
	Offset int64 // of the first byte; 0 where the registry did not honour the wish for a later one
	Size   int64 // of the whole blob; -1 when the registry does not say
}

// BlobUpload is one blob to send to a registry. Content may be read more than once, from any offset.
type BlobUpload struct {
	Digest  string // "sha256:…"
	Size    int64
	Content io.ReaderAt
	// Sent is called with the bytes sent so far, by one goroutine at a time. It may be nil; the count may go back after a
	// retry, and come once more after the upload is over.
	Sent func(n int64)
}

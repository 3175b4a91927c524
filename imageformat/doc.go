// Package imageformat is the image format of xc behind an adapter: nothing above it sees how an image is written down. Its
// words are those of the OCI image specification 1.1 plus one: the JailConfig, an image's say about the jail it runs in.
//
//	index ──▶ manifest ──▶ config (JailImage)
//	                  └──▶ layers: compressed tar, named by digest; uncompressed, named by diff id; a chain of them, by chain id
//
// The root package reads and writes the small documents. imageformat/layer applies and makes layer tars,
// imageformat/archive reads and writes whole images in one tar (docker-archive and OCI layout), and
// imageformat/imagetest makes images for tests.
//
// # What is decided
//
// A registry's bytes are never written anew: whoever keeps a manifest or config keeps its bytes, and Parse only looks at
// them. A document that we do write is deterministic (keys sorted, no clock), so equal images have equal digests.
//
// A JailImage is a complete OCI image configuration, so Docker can run what xc wrote, plus config.xc_extension. Keys that
// this package does not know are kept through ParseConfig and Marshal at every level.
//
// Foreign input is bounded (MaxDocument) and checked here: digests are well formed, sizes are not negative, a document is
// what its media type says. Callers may paste a digest that came out of here into a path.
package imageformat

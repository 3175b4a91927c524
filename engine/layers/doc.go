// Package layers keeps what images and containers are made of on disk: extracted layers, each once for each chain, and the
// containers' roots on top of them. It offers images.Layers and lifecycle.Roots, upon a storage Driver.
//
//	layer   the files of one tar, upon a parent; named by the chain id of both
//	chain   a layer with all layers below it
//	stage   the place where a layer is extracted, not yet a layer
//	root    a container's file system: a chain and what the container changed
//
// # What is decided
//
// A layer exists when its record does: a small JSON file that is written last and removed first. So a layer is seen whole or
// not at all, whatever the driver does and whenever the daemon ends; New makes the driver's storage agree with the records.
//
// Extraction checks the diff id while the tar streams by; a wrong one leaves nothing. Callers that want the same chain at
// once share one extraction. A driver that keeps layers apart (Traits.Independent) takes them in any order; the chain is
// there (Has) when all of it is.
//
// Layers do not wait for the disk. A record names the boot in which the layer was made until the file system was synced
// behind it, some seconds later; after a crash of the machine, layers of an earlier boot that were never synced are dropped,
// and made again from their blobs. Killing the daemon loses nothing.
//
// Diff makes a layer's tar from its files. It is the tar that was applied only if that was made as ours are: whoever needs
// the registry's bytes keeps the blob.
//
// Files that the engine itself keeps in every root (hosts, resolv.conf, mount points) are no change of the container's.
package layers

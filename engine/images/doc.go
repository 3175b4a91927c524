// Package images keeps images: it brings them from registries and archives, makes them of containers and tars, names, lists
// and removes them, and sends them out again.
//
//	entry      one image in memory: its record, what its config says, its names
//	document   an index, a manifest or a config, kept as its maker wrote it
//	blob       a layer as it travels: a compressed tar by its own digest, which unpacks to a diff id
//	layer      the same extracted, once per chain, by Layers
//	lease      what a running operation holds; nothing held is collected
//
// A pull goes this way, for all layers at once:
//
//	Registry ──▶ download (one per blob: file, resumed, hashed) ──▶ follower ──▶ decompress ──▶ Layers.Apply (one per chain)
//	             shared by all pulls that want the blob              reads while it grows       checks the diff id
//	documents, then one change of Store and index: the image is visible
//
// # What is decided
//
// An image's id is the digest of its config. What a registry said is kept byte for byte, so a push gives back the digests
// that a pull brought. A layer that was made here is kept as a plain tar and compressed when it is first sent; from then on
// the compressed blob is the layer's.
//
// Nothing is visible before it is verified and in place. Every step before the one change of the store leaves only what
// Collect removes: files of no record, layers of no image. So a killed daemon leaves nothing wrong, and the next pull goes
// on with the part of a blob that came.
//
// A name may mean one image for each platform. A pull adds its platform's; a tag, a load, a commit or an import takes the
// name whole. Without a wish the host's own platform is meant, on FreeBSD Linux after it.
//
// Everything asked often is answered from memory (index). The store is read once, at start.
//
// Locks: Service.write is held around a change of store and index, index.mu inside it and never the other way round. No lock
// is held while the network, the disk or Layers is waited for, but for the store's own transaction.
package images

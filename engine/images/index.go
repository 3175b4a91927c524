package images

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// entry is one image in memory. It is never changed: a change puts another in its place.
type entry struct {
	rec     engine.ImageRecord // without its config document
	img     engine.Image       // without names
	steps   int                // of its history, which is in the document alone: images of one build share most of it
	diffIDs []digest.Digest
	chain   []engine.LayerID // the chain at every layer
}

func newEntry(rec engine.ImageRecord) (*entry, error) {
	doc, err := imageformat.ParseConfig(rec.Config)
	if err != nil {
		return nil, err
	}
	rec.Config = nil
	e := &entry{rec: rec, steps: len(doc.History), diffIDs: doc.DiffIDs}
	for _, c := range imageformat.ChainIDs(doc.DiffIDs) {
		e.chain = append(e.chain, engine.LayerID(c))
	}
	e.img = engine.Image{
		ID: rec.ID, Parent: rec.Parent, Comment: doc.Comment, Author: doc.Author, LastTagged: rec.LastTagged,
		Platform: enginePlatform(doc.Platform), Config: configOf(doc.Effective()),
	}
	if doc.Jail != nil {
		j := doc.JailConfig()
		e.img.Jail, e.img.TreeExit = &j, !doc.Run.HasProcess()
	}
	if doc.Created != nil {
		e.img.Created = *doc.Created
	}
	if n := len(doc.History); e.img.Comment == "" && n > 0 {
		e.img.Comment = doc.History[n-1].Comment
	}
	for _, d := range doc.DiffIDs {
		e.img.Layers = append(e.img.Layers, d.String())
	}
	if n := len(e.chain); n > 0 {
		e.img.Top = e.chain[n-1]
	}
	for _, n := range rec.LayerSizes {
		e.img.Size += n
	}
	if len(rec.Manifests) > 0 {
		e.img.Digest = rec.Manifests[0].Digest
	}
	return e, nil
}

// withRecord is the entry after a change of what is recorded beside the document.
func (e *entry) withRecord(rec engine.ImageRecord) *entry {
	n := *e
	rec.Config = nil
	n.rec = rec
	n.img.Parent, n.img.LastTagged = rec.Parent, rec.LastTagged
	if n.img.Digest = ""; len(rec.Manifests) > 0 {
		n.img.Digest = rec.Manifests[0].Digest
	}
	return &n
}

// platformKey tells apart the images that share a name.
func (e *entry) platformKey() string { return platformKey(e.img.Platform) }

func platformKey(p engine.Platform) string {
	return imageformat.FormatPlatform(imageformat.Normalize(formatPlatform(p)))
}

// index is everything that is known of images, in memory: a list or an inspect asks neither the database nor the disk.
type index struct {
	mu        sync.RWMutex
	images    map[engine.ImageID]*entry
	ids       []engine.ImageID                               // sorted
	names     map[string][]engine.ImageName                  // by name; several platforms
	namesOf   map[engine.ImageID][]string                    // sorted
	children  map[engine.ImageID]map[engine.ImageID]struct{} // by parent
	manifests map[digest.Digest]engine.ImageID               // by manifest
	layers    map[engine.LayerID]map[engine.ImageID]struct{} // who has a layer
	diffUses  map[digest.Digest]int                          // how often images have a layer, at any place
	blobs     map[digest.Digest]engine.BlobRecord            // layer blobs
	byDiff    map[digest.Digest]map[digest.Digest]struct{}   // their digests by diff id
	documents map[digest.Digest]map[engine.ImageID]struct{}  // who has a document
}

func newIndex() *index {
	return &index{
		images: map[engine.ImageID]*entry{}, names: map[string][]engine.ImageName{}, namesOf: map[engine.ImageID][]string{},
		children: map[engine.ImageID]map[engine.ImageID]struct{}{}, manifests: map[digest.Digest]engine.ImageID{},
		layers: map[engine.LayerID]map[engine.ImageID]struct{}{}, diffUses: map[digest.Digest]int{}, blobs: map[digest.Digest]engine.BlobRecord{},
		byDiff: map[digest.Digest]map[digest.Digest]struct{}{}, documents: map[digest.Digest]map[engine.ImageID]struct{}{},
	}
}

// apply makes the change that the store has made. Entries are the new and changed images.
func (x *index) apply(c engine.ImageChange, entries map[engine.ImageID]*entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range c.DeleteNames {
		x.dropName(n.Name, n.Platform)
	}
	for _, id := range c.Delete {
		for _, name := range slices.Clone(x.namesOf[id]) {
			for _, n := range slices.Clone(x.names[name]) {
				if n.Image == id {
					x.dropName(n.Name, n.Platform)
				}
			}
		}
		x.drop(id)
	}
	for _, d := range c.DeleteBlobs {
		x.dropBlob(digest.Digest(d))
	}
	for id, e := range entries {
		x.drop(id)
		x.add(e)
	}
	for _, n := range c.PutNames {
		x.dropName(n.Name, n.Platform)
		x.names[n.Name] = append(x.names[n.Name], n)
		x.tie(n.Image, n.Name)
	}
	for _, b := range c.PutBlobs {
		x.addBlob(b)
	}
}

func (x *index) add(e *entry) {
	id := e.rec.ID
	x.images[id] = e
	if at, found := slices.BinarySearch(x.ids, id); !found {
		x.ids = slices.Insert(x.ids, at, id)
	}
	if p := e.rec.Parent; p != "" {
		addTo(x.children, p, id, struct{}{})
	}
	for i, layer := range e.chain {
		addTo(x.layers, layer, id, struct{}{})
		x.diffUses[e.diffIDs[i]]++
	}
	for _, d := range documentsOf(e.rec) {
		addTo(x.documents, d, id, struct{}{})
	}
	for _, m := range e.rec.Manifests {
		x.manifests[digest.Digest(m.Digest)] = id
	}
}

// drop takes an image out; its names stay for whoever puts it in again.
func (x *index) drop(id engine.ImageID) {
	e, ok := x.images[id]
	if !ok {
		return
	}
	delete(x.images, id)
	if at, found := slices.BinarySearch(x.ids, id); found {
		x.ids = slices.Delete(x.ids, at, at+1)
	}
	deleteFrom(x.children, e.rec.Parent, id)
	for i, layer := range e.chain {
		deleteFrom(x.layers, layer, id)
		if x.diffUses[e.diffIDs[i]]--; x.diffUses[e.diffIDs[i]] == 0 {
			delete(x.diffUses, e.diffIDs[i])
		}
	}
	for _, d := range documentsOf(e.rec) {
		deleteFrom(x.documents, d, id)
		if x.manifests[d] == id {
			delete(x.manifests, d)
		}
	}
}

// documentsOf lists the documents that an image needs.
func documentsOf(rec engine.ImageRecord) []digest.Digest {
	all := []digest.Digest{digest.Digest(rec.ID)}
	for _, m := range rec.Manifests {
		all = append(all, digest.Digest(m.Digest))
		if m.Index != "" {
			all = append(all, digest.Digest(m.Index))
		}
	}
	return all
}

func (x *index) tie(id engine.ImageID, name string) {
	if at, found := slices.BinarySearch(x.namesOf[id], name); !found {
		x.namesOf[id] = slices.Insert(slices.Clone(x.namesOf[id]), at, name)
	}
}

func (x *index) dropName(name, platform string) {
	kept := x.names[name][:0:0]
	for _, n := range x.names[name] {
		if n.Platform != platform {
			kept = append(kept, n)
			continue
		}
		if at, found := slices.BinarySearch(x.namesOf[n.Image], name); found {
			x.namesOf[n.Image] = slices.Delete(slices.Clone(x.namesOf[n.Image]), at, at+1)
		}
		if len(x.namesOf[n.Image]) == 0 {
			delete(x.namesOf, n.Image)
		}
	}
	if x.names[name] = kept; len(kept) == 0 {
		delete(x.names, name)
	}
}

func (x *index) addBlob(b engine.BlobRecord) {
	d := digest.Digest(b.Digest)
	x.dropBlob(d)
	x.blobs[d] = b
	addTo(x.byDiff, digest.Digest(b.DiffID), d, struct{}{})
}

func (x *index) dropBlob(d digest.Digest) {
	deleteFrom(x.byDiff, digest.Digest(x.blobs[d].DiffID), d)
	delete(x.blobs, d)
}

func addTo[K, L comparable, V any](m map[K]map[L]V, key K, inner L, v V) {
	if m[key] == nil {
		m[key] = map[L]V{}
	}
	m[key][inner] = v
}

func deleteFrom[K, L comparable, V any](m map[K]map[L]V, key K, inner L) {
	if delete(m[key], inner); len(m[key]) == 0 {
		delete(m, key)
	}
}

// view calls f while nothing changes. f must not keep maps of the index.
func (x *index) view(f func()) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	f()
}

func (x *index) get(id engine.ImageID) (*entry, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	e, ok := x.images[id]
	return e, ok
}

// byPrefix returns the only image whose id begins with the digits.
func (x *index) byPrefix(hex string) (*entry, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	prefix := engine.ImageID("sha256:" + hex)
	at, _ := slices.BinarySearch(x.ids, prefix)
	if at == len(x.ids) || !strings.HasPrefix(string(x.ids[at]), string(prefix)) {
		return nil, false
	}
	if at+1 < len(x.ids) && strings.HasPrefix(string(x.ids[at+1]), string(prefix)) {
		return nil, false // it fits several: Docker then knows no such image
	}
	return x.images[x.ids[at]], true
}

// named returns what a name is tied to, by platform.
func (x *index) named(name string) []*entry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []*entry
	for _, n := range x.names[name] {
		if e, ok := x.images[n.Image]; ok {
			all = append(all, e)
		}
	}
	return all
}

// refs returns the names of an image, tags before digests, each sorted.
func (x *index) refs(id engine.ImageID) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.namesOf[id]
}

func (x *index) all() []*entry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Collect(maps.Values(x.images))
}

// withDiff returns the blobs that unpack to a layer.
func (x *index) withDiff(diff digest.Digest) []engine.BlobRecord {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []engine.BlobRecord
	for d := range x.byDiff[diff] {
		all = append(all, x.blobs[d])
	}
	slices.SortFunc(all, func(a, b engine.BlobRecord) int { return strings.Compare(a.Digest, b.Digest) })
	return all
}

func (x *index) blob(d digest.Digest) (engine.BlobRecord, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	b, ok := x.blobs[d]
	return b, ok
}

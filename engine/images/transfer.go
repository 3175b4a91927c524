package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/layer"
)

type blobDigest = digest.Digest

// transfers shares the work of concurrent pulls: a blob is fetched once, a layer unpacked once. What nobody waits for any
// more is cancelled.
type transfers struct {
	blobs       blobs
	source      Source
	layers      Layers
	independent bool // layers are unpacked before their parents are there
	tick        time.Duration
	log         *slog.Logger
	slots       *gate // of downloads
	unpackers   *gate

	running   sync.WaitGroup
	mu        sync.Mutex
	downloads map[blobDigest]*download
	ending    map[blobDigest]*download // given up, and not yet through with their files
	jobs      map[jobKey]*job
}

func (t *transfers) wait() { t.running.Wait() }

// jobKey is what makes two wishes one job: the same bytes at the same place.
type jobKey struct {
	chain engine.LayerID
	blob  digest.Digest
}

// wish is one layer that a pull needs.
type wish struct {
	chain, parent engine.LayerID
	diffID        digest.Digest
	desc          imageformat.Descriptor
	remote        engine.Remote
	below         *job // that unpacks the parent; nil when it is there
}

// job brings one layer from its registry, or from a kept blob, into the layers.
type job struct {
	hub
	id   string
	refs int // guarded by transfers.mu
	stop context.CancelFunc
	done chan struct{}
	size int64 // of the layer unpacked
	err  error
}

// shortID is how progress names a layer: the first digits of its blob's digest.
func shortID(d digest.Digest) string { return engine.ImageID(d).Short() }

// acquire returns the job for a wish, begun if it is not yet. The caller releases it.
func (t *transfers) acquire(ctx context.Context, w wish) *job {
	key := jobKey{w.chain, w.desc.Digest}
	t.mu.Lock()
	defer t.mu.Unlock()
	if j, ok := t.jobs[key]; ok {
		j.refs++
		if d, ok := t.downloads[w.desc.Digest]; ok {
			d.addRemote(w.remote)
		}
		return j
	}
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	j := &job{id: shortID(w.desc.Digest), refs: 1, stop: stop, done: make(chan struct{})}
	t.jobs[key] = j
	if w.below != nil {
		w.below.refs++ // its layer must not be given up while this one is to stand on it
	}
	blob := t.download(own, w)
	t.running.Add(1)
	go func() {
		defer t.running.Done()
		j.err = t.unpack(own, j, w, blob)
		t.finish(key, j)
		if blob != nil {
			t.releaseDownload(w.desc.Digest, blob)
		}
		if w.below != nil {
			t.release(w.below)
		}
		close(j.done)
	}()
	return j
}

// finish forgets a job, so that the next wish for the same begins anew.
func (t *transfers) finish(key jobKey, j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs[key] == j {
		delete(t.jobs, key)
	}
}

// release gives up one interest in a job; the last one cancels it.
func (t *transfers) release(j *job) {
	t.mu.Lock()
	j.refs--
	last := j.refs == 0
	if last {
		for key, other := range t.jobs {
			if other == j {
				delete(t.jobs, key)
			}
		}
	}
	t.mu.Unlock()
	if last {
		j.stop()
	}
}

// download joins or begins the fetching of a blob. It is nil when the blob is kept already. t.mu is held.
func (t *transfers) download(ctx context.Context, w wish) *download {
	if d, ok := t.downloads[w.desc.Digest]; ok {
		d.refs++
		d.addRemote(w.remote)
		return d
	}
	if t.blobs.has(w.desc.Digest) {
		return nil
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d := &download{
		id: shortID(w.desc.Digest), desc: w.desc, blobs: t.blobs, source: t.source, tick: t.tick, log: t.log,
		refs: 1, cancel: cancel, after: t.ending[w.desc.Digest], started: make(chan struct{}), done: make(chan struct{}),
		closed: make(chan struct{}), remotes: []engine.Remote{w.remote},
	}
	d.grew = sync.NewCond(&d.mu)
	t.downloads[w.desc.Digest] = d
	turn := t.slots.enter() // here, so that layers are fetched in the order in which they are asked for
	t.running.Add(1)
	go func() {
		defer t.running.Done()
		d.run(own, turn)
		if d.err != nil {
			t.forget(w.desc.Digest, d)
		}
	}()
	return d
}

func (t *transfers) forget(blob digest.Digest, d *download) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.downloads[blob] == d {
		delete(t.downloads, blob)
	}
}

func (t *transfers) releaseDownload(blob digest.Digest, d *download) {
	t.mu.Lock()
	d.refs--
	last := d.refs == 0
	if last && t.downloads[blob] == d {
		delete(t.downloads, blob)
		t.ending[blob] = d
	}
	t.mu.Unlock()
	if !last {
		return
	}
	d.cancel()
	<-d.done
	d.close()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ending[blob] == d {
		delete(t.ending, blob)
	}
}

// busy reports whether a blob's unfinished file is in use.
func (t *transfers) busy(blob digest.Digest) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.downloads[blob] != nil || t.ending[blob] != nil
}

// unpack waits for what must be there first and applies the layer.
func (t *transfers) unpack(ctx context.Context, j *job, w wish, blob *download) error {
	if blob != nil {
		defer blob.subscribe(j.put)()
	}
	if w.below != nil && !t.independent {
		if err := await(ctx, w.below.done); err != nil {
			return err
		}
		if w.below.err != nil {
			return w.below.err
		}
	}
	if blob != nil {
		if err := await(ctx, blob.started, blob.done); err != nil { // done first: it failed before its turn
			return err
		}
	}
	turn := t.unpackers.enter()
	if err := turn.wait(ctx); err != nil {
		return err
	}
	defer turn.leave()
	err := t.apply(ctx, j, w, blob)
	for errors.Is(err, errAnew) {
		err = t.apply(ctx, j, w, blob)
	}
	if err == nil && blob != nil {
		// A layer that was there already was not read to its end; its blob is wanted all the same.
		if err = await(ctx, blob.done); err == nil {
			err = blob.err
		}
	}
	if err == nil {
		j.put(engine.Progress{ID: j.id, Status: "Pull complete"})
	}
	return err
}

// await waits for the first of one or two channels, or for ctx.
func await(ctx context.Context, one <-chan struct{}, other ...<-chan struct{}) error {
	var two <-chan struct{}
	if len(other) > 0 {
		two = other[0]
	}
	select {
	case <-one:
	case <-two:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (t *transfers) apply(ctx context.Context, j *job, w wish, blob *download) error {
	var compressed io.ReadCloser
	var done <-chan struct{}
	if blob != nil {
		compressed, done = blob.follow(ctx), blob.done
	} else {
		f, err := t.blobs.open(w.desc.Digest)
		if err != nil {
			return err
		}
		compressed = f
	}
	defer compressed.Close()
	counted := &extracting{Reader: reader{ctx, compressed}, job: j, total: w.desc.Size, downloaded: done}
	got, size, err := unpackLayer(ctx, t.layers, w.parent, w.diffID, counted)
	if err != nil {
		// Wrong bytes may be seen here before the download has come to its end and found them wrong, which says more and may
		// mean that they come anew.
		if counted.err == nil && ctx.Err() == nil {
			_, _ = io.Copy(io.Discard, counted)
		}
		if counted.err != nil {
			return counted.err // why the stream ended says more than what the end did
		}
		return fmt.Errorf("failed to register layer: %w", err)
	}
	if got != w.chain {
		return fmt.Errorf("layer %s became %s where %s was due", w.diffID, got, w.chain)
	}
	j.size = size
	return nil
}

// unpackLayer applies a compressed layer. Layers reads ahead, so that decompression runs beside the writing of files, and
// does not read any more when it returns.
func unpackLayer(ctx context.Context, layers Layers, parent engine.LayerID, diffID digest.Digest, compressed io.Reader) (engine.LayerID, int64, error) {
	plain, _, err := layer.Decompress(compressed)
	if err != nil {
		return "", 0, imageError("", engine.Invalid, "", err)
	}
	defer plain.Close()
	return layers.Apply(ctx, parent, diffID, plain)
}

// extracting counts what was read of a layer and shows it once the download is over, as Docker does.
type extracting struct {
	io.Reader
	job        *job
	total      int64
	at         int64
	downloaded <-chan struct{} // nil: at once
	show       pace
	err        error // why the source ended early
}

// Read implements io.Reader.
func (e *extracting) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	e.at += int64(n)
	if err != nil && err != io.EOF {
		e.err = err
	}
	over := e.downloaded == nil
	if !over {
		select {
		case <-e.downloaded:
			over = true
		default:
		}
	}
	if over && (e.show.due() || err == io.EOF) {
		e.job.put(engine.Progress{ID: e.job.id, Status: "Extracting", Current: e.at, Total: e.total})
	}
	return n, err
}

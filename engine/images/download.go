package images

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

const (
	maxTries = 5
	// steady is how many bytes a try must bring for the ones before it to be forgotten: a line that breaks every hour gets a
	// large layer through, one that brings nothing ends.
	steady    = 1 << 20
	copyChunk = 256 << 10
)

// download is one blob on its way to disk, shared by all who want it. It writes to a file that readers follow, so a slow
// reader holds up nobody and a broken line loses nothing. Readers see the end only after the digest was verified.
type download struct {
	hub
	id     string // how progress names it
	desc   imageformat.Descriptor
	blobs  blobs
	source Source
	tick   time.Duration
	log    *slog.Logger

	refs    int // guarded by transfers.mu
	cancel  context.CancelFunc
	after   *download     // an earlier download of the blob that is being given up
	started chan struct{} // closed when its turn has come
	done    chan struct{} // closed after the last change of state
	closed  chan struct{} // closed when the file is no longer used

	mu      sync.Mutex
	grew    *sync.Cond
	file    *os.File
	have    int64 // bytes in the file
	epoch   int   // grows when the file's bytes turned out wrong and are fetched anew
	whole   bool  // the file was verified
	err     error
	remotes []engine.Remote
}

// errAnew tells a reader that what it read was wrong and comes anew.
var errAnew = errors.New("the blob is being fetched anew")

// hash goes on where an earlier try, or an earlier life of the daemon, stopped.
type progressHash struct {
	digest.Digester
	n int64
}

// run fetches until the blob is whole or hope is lost.
func (d *download) run(ctx context.Context, turn *ticket) {
	defer close(d.done)
	if d.after != nil {
		<-d.after.closed
	}
	err := d.fetch(ctx, turn)
	if err == nil {
		d.set(nil) // readers may end while the blob is made safe
		err = d.keep()
	}
	if err != nil {
		if !retryable(err) && ctx.Err() == nil {
			// What came is wrong, or will not be asked for again: it is of no use to the next pull.
			if _, rerr := d.blobs.remove(d.blobs.ingest(d.desc.Digest)); rerr != nil {
				d.log.Warn("a useless download stays on disk", "blob", d.desc.Digest, "error", rerr)
			}
		}
		d.set(err)
		return
	}
	d.put(engine.Progress{ID: d.id, Status: "Download complete"})
}

func (d *download) set(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.whole, d.err = err == nil, err
	d.grew.Broadcast()
}

func (d *download) fetch(ctx context.Context, turn *ticket) error {
	if !turn.open() {
		d.put(engine.Progress{ID: d.id, Status: "Waiting"})
	}
	if err := turn.wait(ctx); err != nil {
		return err
	}
	defer turn.leave()
	close(d.started)
	hash, err := d.open(ctx)
	if err != nil {
		return err
	}
	resumed := hash.n > 0
	for try := 1; ; try++ {
		before := hash.n
		if err = d.attempt(ctx, hash, try); err == nil {
			if err = d.verify(hash); err == nil || !resumed {
				return err
			}
			// The bytes of an earlier try may be the wrong ones.
			if hash, err = d.restart(); err != nil {
				return err
			}
			resumed, try = false, 0
			continue
		}
		resumed = resumed || hash.n > 0
		if hash.n-before >= steady {
			try = 1
		}
		if ctx.Err() != nil || try >= maxTries || !retryable(err) {
			return cmp.Or(ctx.Err(), err)
		}
		d.log.Info("a download broke off", "blob", d.desc.Digest, "have", hash.n, "try", try, "error", err)
		if err := d.pause(ctx, try*5); err != nil {
			return err
		}
	}
}

// verify tells whether what came is what was promised.
func (d *download) verify(hash *progressHash) error {
	d.put(engine.Progress{ID: d.id, Status: "Verifying Checksum"})
	if got := hash.Digest(); got != d.desc.Digest || hash.n != d.desc.Size {
		return imageError("", engine.Invalid, "", fmt.Errorf("filesystem layer verification failed for digest %s: got %s, %d bytes of %d",
			d.desc.Digest, got, hash.n, d.desc.Size))
	}
	return nil
}

// open takes up what an earlier download left.
func (d *download) open(ctx context.Context) (*progressHash, error) {
	f, err := os.OpenFile(d.blobs.ingest(d.desc.Digest), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	hash := &progressHash{Digester: d.desc.Digest.Algorithm().Digester()}
	n, err := io.CopyBuffer(struct{ io.Writer }{hash.Hash()}, reader{ctx, f}, make([]byte, copyChunk))
	if err == nil && n > d.desc.Size {
		hash.Hash().Reset()
		n = 0
		err = f.Truncate(0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	hash.n = n
	d.mu.Lock()
	d.file, d.have = f, n
	d.grew.Broadcast()
	d.mu.Unlock()
	return hash, nil
}

// restart throws away what came.
func (d *download) restart() (*progressHash, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.have = 0
	d.epoch++
	d.grew.Broadcast()
	return &progressHash{Digester: d.desc.Digest.Algorithm().Digester()}, d.file.Truncate(0)
}

// attempt reads from where the file ends until the stream does. A file that is complete is not asked for.
func (d *download) attempt(ctx context.Context, hash *progressHash, try int) error {
	if hash.n == d.desc.Size && hash.n > 0 {
		return nil
	}
	blob, err := d.source.Blob(ctx, d.remote(try), d.desc.Digest.String(), d.desc.Size, hash.n)
	if err != nil {
		return err
	}
	defer blob.Close()
	if blob.Size >= 0 && blob.Size != d.desc.Size {
		return imageError("", engine.Invalid, "", fmt.Errorf("blob %s has %d bytes at the registry and %d in its manifest", d.desc.Digest, blob.Size, d.desc.Size))
	}
	// A registry that does not know ranges sends from the start: what is there already is passed over.
	if skip := hash.n - blob.Offset; skip > 0 {
		if _, err := io.CopyN(io.Discard, blob, skip); err != nil {
			return again(err)
		}
	}
	var show pace
	buf := make([]byte, copyChunk)
	for hash.n <= d.desc.Size {
		n, err := blob.Read(buf)
		if n > 0 {
			if werr := d.write(buf[:n], hash); werr != nil {
				return werr
			}
			if show.due() {
				d.put(engine.Progress{ID: d.id, Status: "Downloading", Current: hash.n, Total: d.desc.Size})
			}
		}
		switch {
		case err == io.EOF && hash.n < d.desc.Size:
			return again(io.ErrUnexpectedEOF)
		case err == io.EOF:
			return nil
		case err != nil:
			return again(err)
		}
	}
	return imageError("", engine.Invalid, "", fmt.Errorf("blob %s is longer than the %d bytes in its manifest", d.desc.Digest, d.desc.Size))
}

func (d *download) write(p []byte, hash *progressHash) error {
	if _, err := d.file.WriteAt(p, hash.n); err != nil {
		return err
	}
	hash.Hash().Write(p)
	hash.n += int64(len(p))
	d.mu.Lock()
	d.have = hash.n
	d.grew.Broadcast()
	d.mu.Unlock()
	return nil
}

// remote goes round the repositories that wanted the blob.
func (d *download) remote(try int) engine.Remote {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.remotes[(try-1)%len(d.remotes)]
}

func (d *download) addRemote(r engine.Remote) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, have := range d.remotes {
		if have == r {
			return
		}
	}
	d.remotes = append(d.remotes, r)
}

// keep makes a blob of the verified file.
func (d *download) keep() error { return d.blobs.adopt(d.blobs.ingest(d.desc.Digest), d.desc.Digest) }

// pause counts seconds down where the user sees it.
func (d *download) pause(ctx context.Context, seconds int) error {
	for ; seconds > 0; seconds-- {
		d.put(engine.Progress{ID: d.id, Status: retryText(seconds)})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d.tick):
		}
	}
	return nil
}

func retryText(seconds int) string {
	if seconds == 1 {
		return "Retrying in 1 second"
	}
	return fmt.Sprintf("Retrying in %d seconds", seconds)
}

// again marks an error after which the same request may succeed.
func again(err error) error { return imageError("", engine.Unavailable, "", err) }

func retryable(err error) bool { return engine.KindOf(err) == engine.Unavailable }

// close frees the file; what came stays on disk for the next time.
func (d *download) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file != nil {
		d.file.Close()
	}
	close(d.closed)
}

// follow reads the blob from its start while it comes.
func (d *download) follow(ctx context.Context) *follower {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &follower{d: d, ctx: ctx, epoch: d.epoch}
	f.stop = context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.grew.Broadcast()
	})
	return f
}

// follower is a reader at its own pace. It ends after the verified end.
type follower struct {
	d     *download
	ctx   context.Context
	stop  func() bool
	epoch int
	at    int64
}

// Read implements io.Reader.
func (f *follower) Read(p []byte) (int, error) {
	d := f.d
	d.mu.Lock()
	for f.epoch == d.epoch && f.at >= d.have && !d.whole && d.err == nil && f.ctx.Err() == nil {
		d.grew.Wait()
	}
	left, epoch, whole, err, file := d.have-f.at, d.epoch, d.whole, d.err, d.file
	d.mu.Unlock()
	switch {
	case f.ctx.Err() != nil:
		return 0, f.ctx.Err()
	case err != nil:
		return 0, err
	case f.epoch != epoch:
		return 0, errAnew
	case left > 0:
		n, err := file.ReadAt(p[:min(int64(len(p)), left)], f.at)
		f.at += int64(n)
		if n > 0 {
			err = nil
		}
		return n, err
	case whole:
		return 0, io.EOF
	}
	return 0, io.ErrNoProgress
}

// Close ends the following.
func (f *follower) Close() error {
	f.stop()
	return nil
}

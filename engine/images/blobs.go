package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
)

// blobs keeps documents and compressed layers by digest:
//
//	<dir>/sha256/<hex>   verified, never changed
//	<dir>/ingest/<hex>   a download that was not finished; the next one goes on with it
//	<dir>/tmp/…          being written; swept at start
//
// A blob appears under its name by rename, after its bytes were synced. Which blobs are needed is not known here.
type blobs struct{ dir string }

func openBlobs(dir string) (blobs, error) {
	b := blobs{dir}
	if err := os.RemoveAll(b.tmp()); err != nil {
		return b, err
	}
	for _, d := range []string{b.tmp(), b.ingest(""), filepath.Join(dir, string(digest.SHA256))} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (b blobs) tmp() string { return filepath.Join(b.dir, "tmp") }

func (b blobs) path(d digest.Digest) string {
	return filepath.Join(b.dir, string(d.Algorithm()), d.Encoded())
}

// ingest is where an unfinished download of the blob stands.
func (b blobs) ingest(d digest.Digest) string {
	if d == "" {
		return filepath.Join(b.dir, "ingest")
	}
	return filepath.Join(b.dir, "ingest", string(d.Algorithm())+"-"+d.Encoded())
}

func (b blobs) has(d digest.Digest) bool {
	info, err := os.Stat(b.path(d))
	return err == nil && info.Mode().IsRegular()
}

func (b blobs) open(d digest.Digest) (*os.File, error) { return os.Open(b.path(d)) }

// read returns a document, and only what its digest promises.
func (b blobs) read(d digest.Digest) ([]byte, error) {
	raw, err := os.ReadFile(b.path(d))
	if err != nil {
		return nil, err
	}
	if got := d.Algorithm().FromBytes(raw); got != d {
		return nil, fmt.Errorf("blob %s is damaged: its content is %s", d, got)
	}
	return raw, nil
}

// put keeps a document. It may be repeated.
func (b blobs) put(d digest.Digest, raw []byte) error {
	if b.has(d) {
		return nil
	}
	f, err := os.CreateTemp(b.tmp(), "doc-")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, bytes.NewReader(raw))
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return b.adopt(f.Name(), d)
}

// adopt takes a verified file of the same file system over as a blob.
func (b blobs) adopt(path string, d digest.Digest) error {
	if b.has(d) {
		return os.Remove(path)
	}
	if err := syncFile(path); err != nil {
		return err
	}
	final := b.path(d)
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return err
	}
	if err := os.Rename(path, final); err != nil {
		return err
	}
	return syncFile(filepath.Dir(final))
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// remove gives a blob's space back and returns how much that was. There need not be one.
func (b blobs) remove(path string) (int64, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// list returns every blob, and every unfinished download.
func (b blobs) list() (whole, unfinished []digest.Digest, err error) {
	dirs, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, nil, err
	}
	for _, dir := range dirs {
		algorithm := digest.Algorithm(dir.Name())
		if dir.Name() != "ingest" && !algorithm.Available() {
			continue
		}
		files, err := os.ReadDir(filepath.Join(b.dir, dir.Name()))
		if err != nil {
			return nil, nil, err
		}
		for _, f := range files {
			if dir.Name() != "ingest" {
				whole = append(whole, digest.NewDigestFromEncoded(algorithm, f.Name()))
				continue
			}
			if of, hex, ok := strings.Cut(f.Name(), "-"); ok {
				unfinished = append(unfinished, digest.NewDigestFromEncoded(digest.Algorithm(of), hex))
			}
		}
	}
	return whole, unfinished, nil
}

// spooled is a stream that was written to a file of the temporary directory and measured on the way.
type spooled struct {
	path   string
	digest digest.Digest
	size   int64
}

// spool writes r to a file. The caller adopts or discards it.
func (b blobs) spool(ctx context.Context, r io.Reader) (spooled, error) {
	f, err := os.CreateTemp(b.tmp(), "spool-")
	if err != nil {
		return spooled{}, err
	}
	hash := digest.SHA256.Digester()
	n, err := io.CopyBuffer(io.MultiWriter(f, hash.Hash()), reader{ctx, r}, make([]byte, 1<<20))
	if err = errors.Join(err, f.Close()); err != nil {
		return spooled{}, errors.Join(err, os.Remove(f.Name()))
	}
	return spooled{path: f.Name(), digest: hash.Digest(), size: n}, nil
}

// discard removes the file unless it was adopted.
func (s spooled) discard() {
	if s.path != "" {
		os.Remove(s.path)
	}
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

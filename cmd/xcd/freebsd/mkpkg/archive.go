package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

// write makes the package: a tar with the manifests first, then the files by their absolute paths, compressed with zstd. The same
// input gives the same bytes.
func write(path string, m manifest, files []file) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return err
	}
	return errors.Join(archive(z, m, files), z.Close())
}

func archive(w io.Writer, m manifest, files []file) error {
	t := tar.NewWriter(w)
	head := make([]file, 0, 2)
	for _, doc := range []struct {
		name string
		v    any
	}{{"+COMPACT_MANIFEST", m.compact}, {"+MANIFEST", m}} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(doc.v); err != nil {
			return err
		}
		head = append(head, file{path: doc.name, mode: 0o644, data: bytes.TrimSuffix(b.Bytes(), []byte("\n"))})
	}
	for _, f := range append(head, files...) {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Size: int64(len(f.data)), Uname: "root", Gname: "wheel",
			ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.data); err != nil {
			return err
		}
	}
	return t.Close()
}

package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/go-archive"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/xcengine/xc/engine"
)

// recipes are looked for in this order.
var recipes = []string{"Jailfile", "Dockerfile"}

// pack makes a tar of a directory, without what its .dockerignore leaves out, and with the recipe where that is elsewhere.
func (a *app) pack(b *building, dir string) (io.ReadCloser, error) {
	if fi, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !fi.IsDir() {
		return nil, fmt.Errorf("%s is no directory; a recipe is named by -f", dir)
	}
	outside, err := a.findRecipe(b, dir)
	if err != nil {
		return nil, err
	}
	var ignored []string
	f, err := os.Open(filepath.Join(dir, ".dockerignore"))
	if err == nil {
		ignored, err = ignorefile.ReadAll(f)
		err = errors.Join(err, f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf(".dockerignore: %w", err)
	}
	if len(ignored) > 0 {
		// The builder needs these, whatever is left out of copies.
		ignored = append(ignored, "!.dockerignore")
		if outside == nil {
			ignored = append(ignored, "!"+b.File)
		}
	}
	packed, err := archive.TarWithOptions(dir, &archive.TarOptions{ExcludePatterns: ignored})
	if err != nil || outside == nil {
		return packed, err
	}
	return withFile(packed, b.File, outside), nil
}

// findRecipe sets where the recipe is in the context; one from elsewhere is returned, to be put there.
func (a *app) findRecipe(b *building, dir string) (outside []byte, err error) {
	if b.file == "" {
		for _, name := range recipes {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				b.File = name
				return nil, nil
			}
		}
		return nil, fmt.Errorf("there is neither a Jailfile nor a Dockerfile in %s: -f names another", dir)
	}
	if filepath.Base(b.file) == recipes[0] {
		b.Format = "jailfile"
	}
	if b.file != "-" {
		root, err := filepath.EvalSymlinks(dir)
		if err == nil {
			root, err = filepath.Abs(root)
		}
		if err != nil {
			return nil, err
		}
		at, err := filepath.EvalSymlinks(b.file)
		if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(b.file) { // docker looks in the directory too
			at, err = filepath.EvalSymlinks(filepath.Join(dir, b.file))
		}
		if err == nil {
			at, err = filepath.Abs(at)
		}
		if err != nil {
			return nil, err
		}
		if rel, err := filepath.Rel(root, at); err == nil && filepath.IsLocal(rel) {
			b.File = filepath.ToSlash(rel)
			return nil, nil
		}
		b.file = at
	}
	from, err := a.input(b.file)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	b.File = fmt.Sprintf(".recipe-%s", engine.NewID()[:12])
	return io.ReadAll(from)
}

// withFile adds a file to a tar.
func withFile(packed io.ReadCloser, name string, content []byte) io.ReadCloser {
	out, to := io.Pipe()
	go func() {
		defer packed.Close()
		w, r := tar.NewWriter(to), tar.NewReader(packed)
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write(content)
		}
		for err == nil {
			var h *tar.Header
			if h, err = r.Next(); err == nil {
				if err = w.WriteHeader(h); err == nil {
					_, err = io.Copy(w, r)
				}
			}
		}
		if err == io.EOF {
			err = w.Close()
		}
		to.CloseWithError(err)
	}()
	return out
}

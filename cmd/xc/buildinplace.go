package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// writeInPlace writes the layers of an image that its base does not have, and its configuration, and removes the image.
func (a *app) writeInPlace(cmd *cobra.Command, image, base string, quiet bool) (err error) {
	made, err := a.daemon().Image(cmd.Context(), image, "")
	if err != nil {
		return err
	}
	below := 0
	if base != "" {
		from, err := a.daemon().Image(cmd.Context(), base, "")
		if err != nil {
			return err
		}
		below = len(from.Layers)
	}
	content, err := a.daemon().SaveImages(cmd.Context(), wire.Save{Refs: []string{image}})
	if err != nil {
		return err
	}
	defer content.Close()
	dir, err := os.MkdirTemp(".", ".xc-build-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	files, err := unpackSaved(content, dir, made.Layers, below)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := os.Rename(filepath.Join(dir, name), name); err != nil {
			return err
		}
		if !quiet {
			if err := a.println(name); err != nil {
				return err
			}
		}
	}
	if len(made.Tags) > 0 {
		return nil // the recipe makes nothing new of an image with a name
	}
	_, err = a.daemon().RemoveImage(cmd.Context(), image, client.ImageRemoval{KeepParents: true})
	return err
}

// configFile is the name of an image's configuration beside its layers.
const configFile = "jail.json"

// savedImage is an entry of an archive's manifest.json.
type savedImage struct {
	Config string
	Layers []string
}

// unpackSaved takes the configuration and the layers from a number on out of an archive of one image, and returns the names of the
// files that it made in dir.
func unpackSaved(saved io.Reader, dir string, diffIDs []string, from int) (files []string, err error) {
	blobs := map[string]string{} // file by path in the archive
	var images []savedImage
	for r := tar.NewReader(saved); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		switch {
		case err != nil:
			return nil, err
		case h.Name == "manifest.json":
			if err := json.NewDecoder(r).Decode(&images); err != nil {
				return nil, err
			}
		case h.Typeflag == tar.TypeReg && strings.HasPrefix(h.Name, "blobs/"):
			at := filepath.Join(dir, fmt.Sprintf("blob%d", len(blobs)))
			if blobs[h.Name], err = at, unpackFile(at, r); err != nil {
				return nil, err
			}
		}
	}
	if len(images) != 1 || len(images[0].Layers) != len(diffIDs) {
		return nil, errors.New("the daemon's archive of the image is not whole")
	}
	move := func(path, name string) error {
		files = append(files, name)
		return os.Rename(blobs[path], filepath.Join(dir, name))
	}
	if err := move(images[0].Config, configFile); err != nil {
		return nil, err
	}
	for i := from; i < len(diffIDs); i++ {
		end, err := suffix(blobs[images[0].Layers[i]])
		if err == nil {
			err = move(images[0].Layers[i], strings.TrimPrefix(diffIDs[i], "sha256:")+end)
		}
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func unpackFile(name string, content io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// suffix names a layer's file by its compression.
func suffix(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	begin := make([]byte, 4)
	if _, err := io.ReadFull(f, begin); err != nil {
		return "", err
	}
	switch {
	case bytes.HasPrefix(begin, []byte{0x1f, 0x8b}): // RFC 1952
		return ".tar.gz", nil
	case bytes.Equal(begin, []byte{0x28, 0xb5, 0x2f, 0xfd}): // RFC 8878
		return ".tar.zst", nil
	}
	return ".tar", nil
}

package lifecycle

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/layer"
)

// filling is one tar that is applied to a new root before anything else stands in it.
type filling struct {
	what string // for errors
	open func(ctx context.Context) (io.ReadCloser, error)
}

// hostFiles opens files of the host: those that the asker has opened are read from there.
type hostFiles map[string]*os.File

// fillings finds the extra layers and the files to copy, in this order, and refuses what is not there.
func (s *Service) fillings(ctx context.Context, a *asks, platform *engine.Platform, host hostFiles) (all []filling) {
	for _, from := range a.wishes.ExtraLayers {
		what := "label " + engine.LabelExtraLayer + "=" + from
		if path.IsAbs(from) {
			if err := host.regular(from); err != nil {
				a.refuse("%s: %w", what, err)
				continue
			}
			all = append(all, filling{what, func(context.Context) (io.ReadCloser, error) { return host.openTar(from) }})
			continue
		}
		img, err := s.Images.Lookup(ctx, from, platform)
		if err != nil {
			if engine.KindOf(err) == engine.NotFound {
				err = errors.New("there is no such image here: pull it first; a file is named by its path, with a slash")
			}
			a.refuse("%s: %w", what, err)
			continue
		}
		diffs := make([]digest.Digest, len(img.Layers))
		for i, d := range img.Layers {
			diffs[i] = digest.Digest(d)
		}
		for _, chain := range imageformat.ChainIDs(diffs) {
			all = append(all, filling{what, func(ctx context.Context) (io.ReadCloser, error) { return s.Layers.Diff(ctx, engine.LayerID(chain)) }})
		}
	}
	for _, f := range a.wishes.Copies {
		what := "label " + engine.LabelCopy + "=" + f.Source + ":" + f.Target
		if err := host.regular(f.Source); err != nil {
			a.refuse("%s: %w", what, err)
			continue
		}
		all = append(all, filling{what, func(context.Context) (io.ReadCloser, error) { return host.tarOf(f) }})
	}
	return all
}

// regular refuses what is not a file with content.
func (h hostFiles) regular(name string) error {
	var info fs.FileInfo
	var err error
	if f := h[path.Clean(name)]; f != nil {
		info, err = f.Stat()
	} else {
		info, err = os.Stat(name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file on the host")
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	return nil
}

// fill applies the tars.
func (s *Service) fill(ctx context.Context, id engine.ContainerID, all []filling) error {
	for _, f := range all {
		if err := s.fillOne(ctx, id, f); err != nil {
			return &engine.Error{Op: "create", Kind: kindOfTar(err), Resource: engine.ResourceContainer, Err: fmt.Errorf("%s: %w", f.what, err)}
		}
	}
	return nil
}

func (s *Service) fillOne(ctx context.Context, id engine.ContainerID, f filling) error {
	r, err := f.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(s.Roots.Fill(ctx, id, r), r.Close())
}

// kindOfTar tells a tar that is none from a host that fails.
func kindOfTar(err error) engine.Kind {
	var broken *imageformat.Error
	if errors.As(err, &broken) {
		return engine.Invalid
	}
	return engine.KindOf(err)
}

// hostFile is a file to be read from its beginning.
type hostFile struct {
	io.Reader
	io.Closer
	fs.FileInfo
}

func (h hostFiles) open(name string) (hostFile, error) {
	f := h[path.Clean(name)]
	if f == nil {
		var err error
		if f, err = os.Open(name); err != nil {
			return hostFile{}, err
		}
		info, err := f.Stat()
		if err != nil {
			f.Close()
		}
		return hostFile{f, f, info}, err
	}
	info, err := f.Stat()
	if err != nil {
		return hostFile{}, err
	}
	// The place in the file is shared with whoever opened it.
	return hostFile{io.NewSectionReader(f, 0, info.Size()), io.NopCloser(nil), info}, nil
}

// openTar opens a tar of the host, of any compression.
func (h hostFiles) openTar(name string) (io.ReadCloser, error) {
	f, err := h.open(name)
	if err != nil {
		return nil, err
	}
	plain, _, err := layer.Decompress(f)
	if err != nil {
		f.Close()
		return nil, &imageformat.Error{Doc: "layer", Err: err}
	}
	return twoClosers{plain, f}, nil
}

type twoClosers struct {
	io.ReadCloser
	under io.Closer
}

// Close closes both.
func (t twoClosers) Close() error { return errors.Join(t.ReadCloser.Close(), t.under.Close()) }

// tarOf streams one file of the host as a tar. It becomes root's and keeps mode and time.
func (h hostFiles) tarOf(f engine.FileCopy) (io.ReadCloser, error) {
	in, err := h.open(f.Source)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() {
		defer in.Close()
		t := tar.NewWriter(w)
		err := t.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: strings.TrimPrefix(f.Target, "/"), Mode: int64(in.Mode().Perm()), Size: in.Size(), ModTime: in.ModTime(),
		})
		if err == nil {
			_, err = io.Copy(t, io.LimitReader(in, in.Size()))
		}
		w.CloseWithError(errors.Join(err, t.Close())) // a file that shrank meanwhile is an error here
	}()
	return r, nil
}

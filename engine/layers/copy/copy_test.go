package copy_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/engine/layers/copy"
	"github.com/xcengine/xc/engine/layerstest"
)

type storage struct{ dir string }

func (s storage) Open(t *testing.T) layers.Driver {
	d, err := copy.Open(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s storage) Left(t *testing.T) []string {
	var all []string
	err := filepath.WalkDir(s.dir, func(path string, _ fs.DirEntry, err error) error {
		if path != s.dir {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestConformance(t *testing.T) {
	layerstest.Run(t, func(t *testing.T) layerstest.Storage {
		s := storage{t.TempDir()}
		s.Open(t)
		return s
	})
}

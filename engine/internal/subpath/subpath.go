// Package subpath has the words for what is wrong with a part of a volume that is to be mounted alone.
package subpath

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/xcengine/xc/engine"
)

// Error gives a failure to resolve sub inside a volume's directory in Docker's words: what is not there is NotFound, what leads
// out Invalid. Nil stays nil.
func Error(volume, sub string, err error) error {
	if err == nil {
		return nil
	}
	e := &engine.Error{Op: "mount", Kind: engine.Invalid, Resource: engine.ResourcePath, ID: sub}
	switch at := filepath.Join(volume, sub); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		e.Kind, e.Err = engine.NotFound, fmt.Errorf("cannot access path %s: lstat %s: %w", at, at, cause(err))
	case errors.Is(err, syscall.EXDEV), escapes(err):
		e.Err = fmt.Errorf("path concatenation escapes the base directory, base: %s, subpath: %s", volume, sub)
	default:
		e.Kind, e.Err = engine.Internal, fmt.Errorf("cannot access path %s: %w", at, cause(err))
	}
	return e
}

func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// escapes knows the error of os.Root, which is no kind that is exported.
func escapes(err error) bool {
	var number syscall.Errno
	var p *fs.PathError
	return errors.As(err, &p) && !errors.As(err, &number)
}

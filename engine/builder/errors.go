package builder

import (
	"context"
	"errors"
	"fmt"

	"github.com/distribution/reference"

	"github.com/xcengine/xc/engine"
)

// invalidf is an error of the recipe or the request.
func invalidf(format string, args ...any) error {
	return &engine.Error{Op: "build", Kind: engine.Invalid, Resource: engine.ResourceBuild, Err: fmt.Errorf(format, args...)}
}

// forbidden is for what the build's user may not do.
func forbidden(why string) error {
	return &engine.Error{Op: "build", Kind: engine.Forbidden, Resource: engine.ResourceBuild, Err: errors.New(why)}
}

func invalid(err error) error {
	var known *engine.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &engine.Error{Op: "build", Kind: engine.Invalid, Resource: engine.ResourceBuild, Err: err}
}

// wrap makes an engine error of any. A build whose client went away, or that was cancelled, says so.
func wrap(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &engine.Error{Op: "build", Kind: engine.Canceled, Resource: engine.ResourceBuild, Err: errors.New("Build cancelled")} //nolint:staticcheck // Docker's words
	}
	var known *engine.Error
	if errors.As(err, &known) {
		return err
	}
	return &engine.Error{Op: "build", Kind: engine.KindOf(err), Resource: engine.ResourceBuild, Err: err}
}

// checkTags reads the names that the image is to get, as users will see them.
func checkTags(tags []string) ([]string, error) {
	var names []string
	seen := map[string]bool{}
	for _, t := range tags {
		if t == "" {
			continue
		}
		named, err := reference.ParseNormalizedNamed(t)
		if err != nil {
			return nil, invalid(err)
		}
		if _, ok := named.(reference.Canonical); ok {
			return nil, invalidf("build tag cannot contain a digest")
		}
		name := reference.FamiliarString(reference.TagNameOnly(named))
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}

// cause is what an error says without the frames of the engine's operations.
func cause(err error) string {
	var e *engine.Error
	for errors.As(err, &e) && e.Err != nil {
		err = e.Err
	}
	return err.Error()
}

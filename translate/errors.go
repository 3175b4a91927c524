package translate

import (
	"errors"
	"fmt"

	"github.com/xcengine/xc/engine"
)

// invalidf makes an error of kind Invalid whose message is exactly the given one.
func invalidf(format string, args ...any) error {
	return &engine.Error{Kind: engine.Invalid, Err: fmt.Errorf(format, args...)}
}

// Message returns the sentence that a Docker client is told: dockerd's own where there is one for the error's kind, resource,
// reason and operation, else the innermost cause.
func Message(err error) string {
	var e *engine.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e.Err != nil {
		return e.Err.Error()
	}
	return e.Error()
}

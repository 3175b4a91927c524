package networks

import (
	"errors"
	"fmt"

	"github.com/xcengine/xc/engine"
)

func notFound(ref string) error {
	return &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: ref}
}

func invalid(name string, err error) error {
	return &engine.Error{Kind: engine.Invalid, Resource: engine.ResourceNetwork, ID: name, Err: err}
}

func forbidden(name string, err error) error {
	return &engine.Error{Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: name, Err: err}
}

// joined lists wrong things as dockerd does: one as it is, several one below the other behind bullets.
func joined(title string, errs []error) error {
	if len(errs) == 1 {
		return fmt.Errorf("%s:\n%w", title, errs[0])
	}
	text := title + ":"
	for _, err := range errs {
		text += "\n* " + err.Error()
	}
	return errors.New(text)
}

// sentence is an error that is told as it stands, capitals and full stop included: clients know it so from dockerd.
type sentence string

func (s sentence) Error() string { return string(s) }

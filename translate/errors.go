package translate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Message returns the sentence that a Docker client is told: dockerd's own where the table of rows or of frames has one for
// what happened, else the innermost cause.
func Message(err error) string {
	text, _ := resolve(err)
	return text
}

// Kind returns the kind that a Docker client is told. It is the outermost one of the error, except where dockerd tells
// another than the engine, with good reason, raises: a port that is taken is a Conflict to the engine, and an internal
// error to Docker's clients.
func Kind(err error) engine.Kind {
	_, kind := resolve(err)
	return kind
}

// During frames the error of an engine call with the request it was made for: the operation and what the client called the
// container. The kind stays. A nil error stays nil.
func During(op, ref string, err error) error {
	if err == nil {
		return nil
	}
	return &engine.Error{Op: op, Kind: engine.KindOf(err), Resource: engine.ResourceContainer, ID: ref, Err: err}
}

// StartFailure is what a container keeps of a start that failed: what whoever started it was told.
func StartFailure(err error) string { return Message(During("start", "", err)) }

// resolve finds sentence and kind of an error, from the outside in.
func resolve(err error) (string, engine.Kind) {
	var e, inner *engine.Error
	if !errors.As(err, &e) {
		return err.Error(), engine.KindOf(err)
	}
	if text, kind := known(e); text != "" {
		return text, kind
	}
	if e.Err == nil {
		return e.Error(), e.Kind
	}
	if all, several := e.Err.(engine.Problems); several { //nolint:errorlint // one that is wrapped has a sentence around it
		lines := make([]string, len(all))
		for i, err := range all {
			lines[i] = Message(err)
		}
		return strings.Join(lines, "\n"), e.Kind
	}
	if f := frames[e.Op]; f != nil {
		return framed(f, e)
	}
	if !errors.As(e.Err, &inner) {
		return e.Err.Error(), e.Kind
	}
	text, kind := resolve(inner)
	if said, _ := known(inner); said == "" && e.Err != error(inner) {
		text = e.Err.Error()
	}
	if kind == inner.Kind {
		kind = e.Kind
	}
	return text, kind
}

// framed puts the frame around the error's cause once, even when several layers name the same operation.
func framed(f frame, e *engine.Error) (string, engine.Kind) {
	cause := e.Err
	var inner *engine.Error
	for errors.As(cause, &inner) && inner.Op == e.Op && inner.Err != nil {
		if said, _ := known(inner); said != "" {
			break
		}
		cause = inner.Err
	}
	text, kind := resolve(cause)
	if !errors.As(cause, &inner) {
		inner, kind = &engine.Error{}, e.Kind
	}
	return f(e, inner, text, kind)
}

// A frame puts the words of a request around the sentence of what made it fail, and says which kind the whole is.
type frame func(outer, inner *engine.Error, text string, kind engine.Kind) (string, engine.Kind)

// frames are those of dockerd, by operation.
var frames = map[string]frame{
	"kill": func(outer, _ *engine.Error, text string, kind engine.Kind) (string, engine.Kind) {
		return fmt.Sprintf("cannot kill container: %s: %s", outer.ID, text), kind
	},
	"stop": func(outer, _ *engine.Error, text string, kind engine.Kind) (string, engine.Kind) {
		if kind == engine.NotFound || kind == engine.NotModified {
			return text, kind
		}
		return fmt.Sprintf("cannot stop container: %s: %s", outer.ID, text), engine.Internal
	},
	"restart": func(outer, _ *engine.Error, text string, kind engine.Kind) (string, engine.Kind) {
		if kind == engine.NotFound {
			return text, kind
		}
		return fmt.Sprintf("Cannot restart container %s: %s", outer.ID, text), engine.Internal
	},
	"remove": func(outer, inner *engine.Error, text string, kind engine.Kind) (string, engine.Kind) {
		if kind == engine.NotFound || inner.Reason == engine.ReasonRemoving {
			return text, kind
		}
		return fmt.Sprintf("cannot remove container %q: %s", outer.ID, text), kind
	},
	"rename": func(_, inner *engine.Error, text string, kind engine.Kind) (string, engine.Kind) {
		if inner.Op != "name" {
			return text, kind
		}
		return "Error when allocating new name: " + text, kind
	},
	"update": func(outer, _ *engine.Error, text string, kind engine.Kind) (string, engine.Kind) {
		if kind == engine.NotFound {
			return text, kind
		}
		return fmt.Sprintf("Cannot update container %s: %s", outer.ID, text), kind
	},
	"exec start": func(_, _ *engine.Error, text string, kind engine.Kind) (string, engine.Kind) {
		return strings.Replace(text, taskLayers, execLayers, 1), kind
	},
	"publish endpoint": func(outer, _ *engine.Error, text string, kind engine.Kind) (string, engine.Kind) {
		return fmt.Sprintf("driver failed programming external connectivity on endpoint %s: %s", outer.ID, text), kind
	},
	"start": func(outer, inner *engine.Error, text string, kind engine.Kind) (string, engine.Kind) {
		switch inner.Resource {
		case engine.ResourceNetwork, engine.ResourceEndpoint:
		case engine.ResourcePort:
			text = fmt.Sprintf("driver failed programming external connectivity on endpoint %s: %s", outer.ID, text)
		default:
			return text, kind
		}
		return "failed to set up container networking: " + text, kind
	},
}

// invalidf makes an error of kind Invalid whose message is exactly the given one.
func invalidf(format string, args ...any) error {
	return &engine.Error{Kind: engine.Invalid, Err: fmt.Errorf(format, args...)}
}

// faultf is invalidf for the wrong requests to which dockerd answers 500.
func faultf(format string, args ...any) error {
	return &engine.Error{Kind: engine.Internal, Err: fmt.Errorf(format, args...)}
}

package launch

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/xcengine/xc/engine"
)

// What the second stage sends, besides descriptors: the terminal's master goes with tagMaster; tagGo says that execve comes
// next; after tagFailure stands a failure in JSON, to the end.
const (
	tagMaster  = 'T'
	tagGo      = 'X'
	tagFailure = 'E'
)

// failure is an engine.Error as it passes between the stages.
type failure struct {
	Kind   engine.Kind
	Reason engine.Reason `json:",omitempty"`
	Args   []string      `json:",omitempty"`
	Text   string
}

func encodeFailure(err error) []byte {
	f := failure{Kind: engine.KindOf(err), Text: err.Error()}
	var e *engine.Error
	if errors.As(err, &e) {
		f.Reason, f.Args = e.Reason, e.Args
		if e.Err != nil {
			f.Text = e.Err.Error()
		}
	}
	b, err := json.Marshal(f)
	if err != nil {
		b = []byte(`{"Text":"the failure cannot be told"}`)
	}
	return append([]byte{tagFailure}, b...)
}

// errSilent is a second stage that ended without a word: it was killed, or its program is not ours.
var errSilent = errors.New("the process ended before its program was executed")

// outcome reads all that a second stage sent.
func outcome(said []byte) error {
	begun := false
	for i, tag := range said {
		switch tag {
		case tagMaster:
		case tagGo:
			begun = true
		case tagFailure:
			var f failure
			if err := json.Unmarshal(said[i+1:], &f); err != nil {
				return fmt.Errorf("decode the second stage's failure: %w", err)
			}
			return &engine.Error{Op: "start", Kind: f.Kind, Reason: f.Reason, Args: f.Args, Err: errors.New(f.Text)}
		default:
			return fmt.Errorf("the second stage said %q", said[i:])
		}
	}
	if !begun {
		return errSilent
	}
	return nil
}

// about completes an error with what it is about; texts begin as runc's do.
func about(exec engine.ExecID, jid int, err error) error {
	resource, id, prefix := engine.ResourceContainer, fmt.Sprint("jail ", jid), "OCI runtime create failed: "
	if exec != "" {
		resource, id, prefix = engine.ResourceExec, string(exec), "OCI runtime exec failed: exec failed: "
	}
	out := &engine.Error{Op: "start", Kind: engine.KindOf(err), Resource: resource, ID: id, Err: err}
	var e *engine.Error
	if errors.As(err, &e) {
		out.Reason, out.Args = e.Reason, e.Args
		if e.Err != nil {
			out.Err = e.Err
		}
	}
	if out.Reason != engine.ReasonBadCwd && out.Reason != engine.ReasonNoUser {
		out.Err = fmt.Errorf("%s%w", prefix, out.Err)
	}
	return out
}

package imageformat

import "fmt"

// MaxDocument bounds what is read as a manifest, an index or a config, in bytes. Registries refuse manifests above 4 MiB.
const MaxDocument = 4 << 20

// Error says that a document is not what it should be. Every error of parsing is one.
type Error struct {
	Doc    string // "manifest", "index", "config", "archive", …
	Detail string
	Err    error // the cause, may be nil
}

// Error returns "invalid DOC: DETAIL: CAUSE".
func (e *Error) Error() string {
	s := "invalid " + e.Doc
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func invalid(doc, format string, args ...any) error {
	return &Error{Doc: doc, Detail: fmt.Sprintf(format, args...)}
}

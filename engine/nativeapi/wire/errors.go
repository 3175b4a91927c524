package wire

// Error is the body of every answer that is not 2xx, and what ends a stream that failed.
type Error struct {
	Kind     string   `json:"kind"`               // a kind of package engine, in its words: "not found"
	Reason   string   `json:"reason,omitempty"`   // a reason of package engine: "in-use"
	Resource string   `json:"resource,omitempty"` // what it is about: "container"
	ID       string   `json:"id,omitempty"`       // as the client named it
	Args     []string `json:"args,omitempty"`     // as the reason documents them
	Message  string   `json:"message"`            // sentences for people, one a line
	// Consents are labels, NAME=VALUE, by which a container's user allows what its image asks for.
	Consents []string `json:"consents,omitempty"`
}

// Line is one line of a stream: a value, or the error that ends it.
type Line[T any] struct {
	Value *T     `json:"value,omitempty"`
	Error *Error `json:"error,omitempty"`
}

// Done answers what has no more to say.
type Done struct{}

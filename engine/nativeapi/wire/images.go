package wire

// Pull is the body of POST /v1/images/pull, whose answer is lines of Progress.
type Pull struct {
	Ref      string `json:"ref"`                // "[registry/]name[:tag][@digest]"
	Platform string `json:"platform,omitempty"` // "os[/arch[/variant]]"; empty: what suits the daemon's host best
	All      bool   `json:"all,omitempty"`      // every tag of the repository
}

package wire

// NetworkCreate is the body of POST /v1/networks: a network on interfaces that the administrator made.
type NetworkCreate struct {
	Name           string   `json:"name"`
	Bridge         string   `json:"bridge,omitempty"`          // joins containers with a network stack of their own
	Alias          string   `json:"alias,omitempty"`           // carries the addresses of the others
	DefaultRouters []string `json:"default_routers,omitempty"` // one of each IP version
	Subnets        []string `json:"subnets"`                   // in CIDR form
}

// NetworkCreated answers it.
type NetworkCreated struct {
	ID string `json:"id"`
}

package wire

import "time"

// NetworkCreate is the body of POST /v1/networks.
type NetworkCreate struct {
	Name string `json:"name"`
	// Driver is xc (interfaces that the administrator made) or bridge (the engine makes one). Empty: xc where Bridge, Alias or
	// DefaultRouters is set, else bridge.
	Driver         string   `json:"driver,omitempty"`
	Bridge         string   `json:"bridge,omitempty"`          // joins containers with a network stack of their own
	Alias          string   `json:"alias,omitempty"`           // carries the addresses of the others
	DefaultRouters []string `json:"default_routers,omitempty"` // one of each IP version

	Subnets []Subnet `json:"subnets,omitempty"`
	// IPv6 has the engine choose a subnet of IPv6 where Subnets has none.
	IPv6     bool              `json:"ipv6,omitempty"`
	Internal bool              `json:"internal,omitempty"`
	Options  map[string]string `json:"options,omitempty"` // of the driver, as docker network create -o has them
	Labels   map[string]string `json:"labels,omitempty"`
}

// Subnet is one address pool.
type Subnet struct {
	Subnet  string            `json:"subnet"`             // in CIDR form
	Range   string            `json:"range,omitempty"`    // in CIDR form: what is handed out
	Start   string            `json:"start,omitempty"`    // of the driver xc: the first address that is handed out
	End     string            `json:"end,omitempty"`      // and the last
	Gateway string            `json:"gateway,omitempty"`  // an address
	Aux     map[string]string `json:"reserved,omitempty"` // addresses that are not handed out, by name
}

// NetworkCreated answers it.
type NetworkCreated struct {
	ID      string `json:"id"`
	Warning string `json:"warning,omitempty"`
}

// Network is an item of GET /v1/networks; GET /v1/networks/REF answers one.
type Network struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Driver   string            `json:"driver"` // bridge, xc, host, null
	Created  time.Time         `json:"created"`
	Subnets  []Subnet          `json:"subnets"`
	Bridge   string            `json:"bridge,omitempty"` // interface of the host
	Alias    string            `json:"alias,omitempty"`
	Router   string            `json:"router,omitempty"`
	Internal bool              `json:"internal,omitempty"`
	IPv6     bool              `json:"ipv6,omitempty"`
	Builtin  bool              `json:"builtin,omitempty"`
	Options  map[string]string `json:"options,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Attached []Attached        `json:"attached"`
}

// Attached is a container in a network.
type Attached struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Endpoint Endpoint `json:"endpoint"`
}

// Connect is the body of POST /v1/networks/REF/connect.
type Connect struct {
	Container string   `json:"container"`
	IPv4      string   `json:"ipv4,omitempty"`
	IPv6      string   `json:"ipv6,omitempty"`
	Aliases   []string `json:"aliases,omitempty"`
}

// Disconnect is the body of POST /v1/networks/REF/disconnect.
type Disconnect struct {
	Container string `json:"container"`
	Force     bool   `json:"force,omitempty"`
}

// NetworkTag is the body of POST /v1/networks/REF/tag: the container joins the group of those that name each other in their
// hosts files.
type NetworkTag struct {
	Container string `json:"container"`
	// Later leaves the files as they are until POST /v1/networks/REF/commit-tag, or until a member comes or goes.
	Later bool `json:"later,omitempty"`
}

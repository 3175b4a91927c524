package wire

import "time"

// VolumeCreate is the body of POST /v1/volumes.
type VolumeCreate struct {
	Name    string            `json:"name,omitempty"`   // empty: a new one
	Driver  string            `json:"driver,omitempty"` // local, directory
	Device  string            `json:"device,omitempty"` // a directory of the host that the volume stands for
	Opened  []string          `json:"opened,omitempty"` // as for containers: that the caller has opened Device
	Options map[string]string `json:"options,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	// Image and Mount name a mount that an image declares, whose hints are taken as options.
	Image string `json:"image,omitempty"`
	Mount string `json:"mount,omitempty"`
}

// Volume is an item of GET /v1/volumes; GET /v1/volumes/NAME answers one.
type Volume struct {
	Name       string            `json:"name"`
	Driver     string            `json:"driver"`
	Mountpoint string            `json:"mountpoint"` // a path of the host
	Created    time.Time         `json:"created"`
	Labels     map[string]string `json:"labels,omitempty"`
	Options    map[string]string `json:"options,omitempty"`
	Anonymous  bool              `json:"anonymous,omitempty"`
}

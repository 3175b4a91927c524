package engine

import "time"

// Volume is the record of one volume.
type Volume struct {
	Name       string
	Driver     string // local
	Mountpoint string // host path
	Created    time.Time
	Labels     map[string]string
	Options    map[string]string
	Anonymous  bool
}

// VolumeRequest asks for a volume; an empty Name makes an anonymous one. Asking again for what exists answers what exists.
type VolumeRequest struct {
	Name      string
	Driver    string
	Labels    map[string]string
	Options   map[string]string
	Anonymous bool
}

// VolumeQuery selects volumes for a list.
type VolumeQuery struct {
	Names, Drivers []string
	Labels         []LabelMatch
	Dangling       *bool
}

// VolumeUsage is a volume's place in system df. Size is -1 when it is not known.
type VolumeUsage struct {
	Volume
	Size     int64
	RefCount int
}

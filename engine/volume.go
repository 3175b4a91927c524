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

// VolumeRecord is what is kept of a volume across restarts of the daemon.
type VolumeRecord struct {
	Volume
	Removing bool // its removal was begun and must be ended
	CopyUp   CopyUp
	CopyPart string // subpath into which what is staged beside the volume is being moved; CopyUp is then of before
	// Users are the containers for which a volume with mount options is mounted; unused for others.
	Users []ContainerID
}

// CopyUp says how far the first filling of a volume from an image has come.
type CopyUp string

// The stages of a copy-up.
const (
	CopyUpNone   CopyUp = ""       // nothing was copied yet
	CopyUpStaged CopyUp = "staged" // copied whole, beside its place; being moved there
	CopyUpDone   CopyUp = "done"
)

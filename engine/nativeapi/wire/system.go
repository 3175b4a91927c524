package wire

import "time"

// Version answers GET /v1/version.
type Version struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	API      string `json:"api"` // "v1"
	Platform string `json:"platform"`
}

// Info answers GET /v1/info.
type Info struct {
	Version       string         `json:"version"`
	StateDir      string         `json:"state_dir"`
	StorageDriver string         `json:"storage_driver"`
	Runtime       string         `json:"runtime"`
	OSType        string         `json:"os_type"`
	Architecture  string         `json:"architecture"`
	Kernel        string         `json:"kernel"`
	Firewall      string         `json:"firewall"`
	Containers    map[string]int `json:"containers"` // by state
	Images        int            `json:"images"`
	Warnings      []string       `json:"warnings"`
}

// Event is one thing that happened: a line of GET /v1/events.
type Event struct {
	Time       time.Time         `json:"time"`
	Type       string            `json:"type"`   // container, image, network, volume, daemon, builder
	Action     string            `json:"action"` // Docker's words: "start", "die", "exec_create: sh -c true"
	ID         string            `json:"id"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Progress is one line of a long operation's report. ID names a part, such as a layer; without Total its end is not known.
type Progress struct {
	ID      string `json:"id,omitempty"`
	Status  string `json:"status,omitempty"`
	Current int64  `json:"current,omitempty"`
	Total   int64  `json:"total,omitempty"`
	Stream  string `json:"stream,omitempty"` // free text
	Result  string `json:"result,omitempty"` // what was made: an image's id, a pushed digest
}

// Purged answers POST /v1/purge.
type Purged struct {
	Removed []string `json:"removed"` // images and layers
	Freed   int64    `json:"freed"`   // bytes
}

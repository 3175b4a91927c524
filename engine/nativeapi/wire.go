package nativeapi

import (
	"errors"

	"github.com/xcengine/xc/engine"
)

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

// Error is the body of every answer that is not 2xx.
type Error struct {
	Kind    string `json:"kind"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message"`
}

// EncodeError gives an error's wire form.
func EncodeError(err error) Error {
	e := Error{Kind: engine.KindOf(err).Error(), Message: err.Error()}
	var known *engine.Error
	if errors.As(err, &known) {
		e.Reason = string(known.Reason)
	}
	return e
}

// DecodeError gives back an error of the wire's kind.
func DecodeError(e Error) error {
	for _, k := range engine.Kinds() {
		if k.Error() == e.Kind {
			return &engine.Error{Kind: k, Reason: engine.Reason(e.Reason), Err: message(e.Message)}
		}
	}
	return message(e.Message)
}

type message string

func (m message) Error() string { return string(m) }

package oci

import (
	"os"

	"github.com/xcengine/xc/engine"
)

func describe(h host, p program) (engine.Capabilities, error) {
	release, machine, err := kernel()
	if err != nil {
		return engine.Capabilities{}, err
	}
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		// os-release(5) names the second place; a host without either is just "Linux".
		text, _ = os.ReadFile("/usr/lib/os-release")
	}
	return capabilitiesOf(h, p, release, machine, string(text)), nil
}

package oci

import (
	"os"
	"strings"

	"github.com/xcengine/xc/engine"
)

// checkPropagation looks at the host's mounts only where a bind's propagation asks for something of them.
func checkPropagation(mounts []engine.Mount) error {
	for _, m := range mounts {
		if !strings.HasSuffix(m.Propagation, "shared") && !strings.HasSuffix(m.Propagation, "slave") {
			continue
		}
		f, err := os.Open("/proc/self/mountinfo")
		if err != nil {
			return err
		}
		err = propagates(m, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

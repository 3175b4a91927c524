package oci

import (
	"os"
	"strings"

	"github.com/xcengine/xc/engine"
)

// checkPropagation looks at the host's mounts only where a bind's propagation asks for something of them. A bind that follows
// the host since the daemon's own directory is in it does so as far as it can.
func checkPropagation(mounts []engine.Mount, ours string) error {
	for _, m := range mounts {
		if !strings.HasSuffix(m.Propagation, "shared") && !strings.HasSuffix(m.Propagation, "slave") || m.Propagation == "rslave" && (within(m.Source, ours) || within(ours, m.Source)) {
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

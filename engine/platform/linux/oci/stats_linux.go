package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/xcengine/xc/engine"
)

// Stats implements lifecycle.Runtime. Networks are those of a network namespace that is not the host's.
func (r *Runtime) Stats(_ context.Context, id engine.ContainerID, box engine.Sandbox, pid int) (engine.Stats, error) {
	g, err := r.running("stats", id)
	if err != nil {
		return engine.Stats{}, err
	}
	s := g.Stats()
	if s.Memory.Limit == 0 || s.Memory.Limit > uint64(r.host.memory) {
		s.Memory.Limit = uint64(r.host.memory)
	}
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return s, failed("stats", id, err)
	}
	if s.CPU.System, s.CPU.Online, err = systemCPU(string(stat)); err != nil {
		return s, failed("stats", id, err)
	}
	if box.NetNS != "" && pid > 0 {
		dev, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", pid))
		// A process that just ended has no namespaces any more.
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !isNoProcess(err) {
			return s, failed("stats", id, err)
		}
		s.Networks = interfaces(string(dev))
	}
	s.Read = time.Now()
	return s, nil
}

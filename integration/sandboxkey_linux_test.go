package integration

import (
	"os"
	"testing"
)

// Programs enter a container's network by the file that inspect names. That of the host's own network is there, too.
func TestSandboxKeyIsTheNetworkOfTheContainer(t *testing.T) {
	e := start(t)
	for _, mode := range []string{"host", "none", "bridge"} {
		id := e.must("run", "-d", "--network", mode, "testbox", "sleep", "1000")
		key, err := os.Stat(e.must("inspect", "-f", "{{.NetworkSettings.SandboxKey}}", id))
		if err != nil {
			t.Errorf("%s: %v", mode, err)
			continue
		}
		in, err := os.Stat("/proc/" + e.must("inspect", "-f", "{{.State.Pid}}", id) + "/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		if !os.SameFile(key, in) {
			t.Errorf("%s: the file is another network's", mode)
		}
	}
}

package translate

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/xcengine/xc/engine"
)

const sampleID = "c2265e11f4439d9d22d2e4ba32122e71f57c66cc06c8f4656ef207ccfba04157"

// runningContainer is the container of the recorded answers, as the engine would keep it.
func runningContainer(t *testing.T) engine.Container {
	t.Helper()
	want := decode(t, readFile(t, "testdata/dockerd-28.5.2/shape/container-inspect-running.json"))
	var body container.CreateRequest
	for _, part := range []any{want["Config"], map[string]any{"HostConfig": want["HostConfig"]}} {
		if err := json.Unmarshal(encode(t, part), &body); err != nil {
			t.Fatal(err)
		}
	}
	req, _, err := Create(body, CreateQuery{Name: "g1", Version: MaxVersion}, oracle)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 23, 13, 10, 20, 568913444, time.UTC)
	gate := netip.MustParseAddr("10.77.1.1")
	return engine.Container{
		ID: sampleID, Name: "g1", Created: start, Spec: req.Spec, Driver: "overlay2", Platform: engine.Platform{OS: "linux"},
		Image:   "sha256:e931cb664a2afb851c4bff5d87b99c8eeaea0e44b34d00fd58cb5eba83204cd8",
		LogPath: "/var/lib/docker/containers/" + sampleID + "/" + sampleID + "-json.log",
		Status: engine.Status{State: engine.StateRunning, Pid: 19348, Started: start, Health: &engine.Health{
			Status: engine.HealthHealthy, Log: []engine.HealthProbe{{Start: start, End: start, Output: "x"}},
		}},
		Mounts: []engine.MountPoint{
			{Kind: engine.MountVolume, Name: "gvol", Source: "/var/lib/docker/volumes/gvol/_data", Target: "/data", Driver: "local"},
			{Kind: engine.MountBind, Source: "/tmp", Target: "/host", Mode: "ro", ReadOnly: true, Propagation: "rprivate", Spec: 1},
		},
		Endpoints: map[string]engine.Endpoint{"gnet": {
			Spec: engine.EndpointSpec{Aliases: []string{"al"}}, Network: "3897ccbaa9d1ff60999ab786b4c2bc5a00d289389df2930e70f3544dbfcf2e4c",
			ID: "62fd56c369cc4ea9a5de4a34421b053452d46d1d96f2cfd41343bb1ee4722817", MAC: "fe:7a:31:93:0f:bd",
			IPv4: netip.MustParsePrefix("10.77.1.2/24"), Gateway4: gate, DNSNames: []string{"g1", "al", "c2265e11f443"},
		}},
		Ports: []engine.PublishedPort{
			{Port: engine.Port{Number: 53, Proto: engine.UDP}, HostIP: netip.IPv4Unspecified(), HostPort: 53},
			{Port: engine.Port{Number: 53, Proto: engine.UDP}, HostIP: netip.IPv6Unspecified(), HostPort: 53},
			{Port: engine.Port{Number: 80, Proto: engine.TCP}, HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: 18085},
		},
	}
}

// ended is the same container after its stop.
func ended(c engine.Container) engine.Container {
	c.Status.State, c.Status.Pid, c.Status.Finished = engine.StateExited, 0, c.Status.Started.Add(5*time.Second)
	c.Status.Health.Status = engine.HealthUnhealthy
	e := c.Endpoints["gnet"]
	c.Endpoints = map[string]engine.Endpoint{"gnet": {Spec: e.Spec, Network: e.Network, DNSNames: e.DNSNames}}
	c.Ports = nil
	return c
}

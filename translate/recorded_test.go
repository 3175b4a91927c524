package translate

//lint:file-ignore SA1019 old clients send and read what is deprecated

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

// Each test reads a recorded answer of dockerd 28.5.2 with Docker's own types, gives the engine what dockerd knew, and
// compares what is rendered with the recording, key by key, null and empty told apart.

const recordings = "testdata/dockerd-28.5.2/shape/"

// sameJSON compares two values as JSON.
func sameJSON(t *testing.T, want, got []byte) {
	t.Helper()
	if diff := cmp.Diff(generic(t, want), generic(t, got)); diff != "" {
		t.Error("-dockerd +ours\n" + diff)
	}
}

func generic(t *testing.T, data []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func asTime(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func asVolume(t *testing.T, v *volume.Volume) engine.Volume {
	t.Helper()
	return engine.Volume{Name: v.Name, Driver: v.Driver, Mountpoint: v.Mountpoint, Created: asTime(t, v.CreatedAt), Labels: v.Labels, Options: v.Options}
}

func TestVolumesEqualDockerd(t *testing.T) {
	one := readJSON[volume.Volume](t, recordings+"volume-inspect.json")
	sameJSON(t, readFile(t, recordings+"volume-inspect.json"), encode(t, Volume(asVolume(t, &one))))
	var list []engine.Volume
	for _, v := range readJSON[volume.ListResponse](t, recordings+"volumes-list.json").Volumes {
		list = append(list, asVolume(t, v))
	}
	sameJSON(t, readFile(t, recordings+"volumes-list.json"), encode(t, Volumes(list)))
	sameJSON(t, []byte(`{"Volumes":[],"Warnings":null}`), encode(t, Volumes(nil)))
	sameJSON(t, []byte(`{"VolumesDeleted":[],"SpaceReclaimed":0}`), encode(t, VolumesPruned(engine.PruneResult{})))
}

func asNetwork(t *testing.T, n network.Inspect) engine.NetworkDetail {
	t.Helper()
	out := engine.NetworkDetail{Network: engine.Network{
		ID: engine.NetworkID(n.ID), Name: n.Name, Created: n.Created, Driver: n.Driver, Scope: n.Scope, IPAMDriver: n.IPAM.Driver,
		IPAMOptions: n.IPAM.Options, EnableIPv4: n.EnableIPv4, EnableIPv6: n.EnableIPv6,
	}}
	if len(n.Options) > 0 {
		out.Options = n.Options
	}
	for _, c := range n.IPAM.Config {
		p := engine.Pool{Subnet: netip.MustParsePrefix(c.Subnet)}
		if c.Gateway == "" {
			p.Gateway, p.GatewayAuto = p.Subnet.Addr().Next(), true // known, and not shown
		} else {
			p.Gateway = netip.MustParseAddr(c.Gateway)
		}
		out.Pools4 = append(out.Pools4, p)
	}
	for id, c := range n.Containers {
		out.Attached = append(out.Attached, engine.AttachedEndpoint{
			Container: engine.ContainerID(id), ContainerName: c.Name,
			Endpoint: engine.Endpoint{ID: c.EndpointID, MAC: c.MacAddress, IPv4: netip.MustParsePrefix(c.IPv4Address)},
		})
	}
	return out
}

func TestNetworksEqualDockerd(t *testing.T) {
	for _, name := range []string{"network-bridge.json", "network-inspect.json"} {
		n := asNetwork(t, readJSON[network.Inspect](t, recordings+name))
		sameJSON(t, readFile(t, recordings+name), encode(t, Network(n)))
	}
	var list []engine.NetworkDetail
	for _, n := range readJSON[[]network.Inspect](t, recordings+"networks-list.json") {
		d := asNetwork(t, n)
		d.Attached = []engine.AttachedEndpoint{{Container: "c1"}} // a list does not tell
		list = append(list, d)
	}
	sameJSON(t, readFile(t, recordings+"networks-list.json"), encode(t, Networks(list, MaxVersion)))
	if old := Networks(list, Version{1, 27}); len(old[0].Containers) != 1 {
		t.Errorf("before 1.28 a list tells what is attached: %v", old[0].Containers)
	}
	sameJSON(t, []byte(`[]`), encode(t, Networks(nil, MaxVersion)))
	sameJSON(t, []byte(`{"NetworksDeleted":null}`), encode(t, NetworksPruned(engine.PruneResult{})))
}

// A network that was asked for in every detail, and one whose pool was chosen.
func TestPoolsEqualDockerd(t *testing.T) {
	asked := network.CreateRequest{Name: "nx2", CreateOptions: network.CreateOptions{EnableIPv6: new(bool), IPAM: &network.IPAM{Driver: "default", Config: []network.IPAMConfig{
		{Subnet: "10.250.0.0/24", IPRange: "10.250.0.128/25", Gateway: "10.250.0.254", AuxAddress: map[string]string{"a": "10.250.0.5"}},
		{Subnet: "fd00:1::/64"},
	}}}}
	*asked.EnableIPv6 = true
	req, err := NetworkRequest(asked, MaxVersion)
	if err != nil {
		t.Fatal(err)
	}
	req.Pools[1].Gateway, req.Pools[1].GatewayAuto = netip.MustParseAddr("fd00:1::1"), true
	n := engine.NetworkDetail{Network: engine.Network{IPAMDriver: "default", Pools4: req.Pools[:1], Pools6: req.Pools[1:]}}
	sameJSON(t, []byte(`{"Driver":"default","Options":null,"Config":[{"Subnet":"10.250.0.0/24","IPRange":"10.250.0.128/25","Gateway":"10.250.0.254","AuxiliaryAddresses":{"a":"10.250.0.5"}},{"Subnet":"fd00:1::/64"}]}`),
		encode(t, Network(n).IPAM))
	n.Pools4, n.Pools6 = []engine.Pool{{Subnet: netip.MustParsePrefix("10.228.0.0/24"), Gateway: netip.MustParseAddr("10.228.0.1"), Auto: true, GatewayAuto: true}}, nil
	sameJSON(t, []byte(`{"Driver":"default","Options":null,"Config":[{"Subnet":"10.228.0.0/24","Gateway":"10.228.0.1"}]}`), encode(t, Network(n).IPAM))
}

func asSummary(s image.Summary) engine.ImageSummary {
	return engine.ImageSummary{
		Image: engine.Image{
			ID: engine.ImageID(s.ID), Tags: s.RepoTags, Digests: s.RepoDigests, Parent: engine.ImageID(s.ParentID), Created: time.Unix(s.Created, 0),
			Size: s.Size, Config: engine.ImageConfig{Labels: s.Labels},
		},
		Containers: int(s.Containers), SharedSize: s.SharedSize,
	}
}

func TestImageListEqualsDockerd(t *testing.T) {
	var list []engine.ImageSummary
	for _, s := range readJSON[[]image.Summary](t, recordings+"images-list.json") {
		i := asSummary(s)
		i.Tags, i.Digests = slices.Clip(i.Tags), nil
		list = append(list, i)
	}
	sameJSON(t, readFile(t, recordings+"images-list.json"), encode(t, Images(list, MaxVersion)))
	nameless := slices.IndexFunc(list, func(i engine.ImageSummary) bool { return len(i.Tags) == 0 })
	old := Images(list, Version{1, 42})[nameless]
	if old.RepoTags[0] != "<none>:<none>" || old.RepoDigests[0] != "<none>@<none>" || old.VirtualSize != old.Size || old.Containers != -1 {
		t.Errorf("in 1.42: %+v", old)
	}
	sameJSON(t, []byte(`[]`), encode(t, Images(nil, MaxVersion)))
}

func TestImageInspectEqualsDockerd(t *testing.T) {
	want := readJSON[image.InspectResponse](t, recordings+"image-inspect.json")
	i := engine.Image{
		ID: engine.ImageID(want.ID), Tags: want.RepoTags, Parent: engine.ImageID(want.Parent), Created: asTime(t, want.Created),
		LastTagged: want.Metadata.LastTagTime, Platform: engine.Platform{OS: want.Os, Architecture: want.Architecture}, Layers: want.RootFS.Layers,
		Size: want.Size, Driver: want.GraphDriver.Name, Dir: want.GraphDriver.Data,
		Config: engine.ImageConfig{
			Process: engine.ProcessSpec{Cmd: want.Config.Cmd, Env: want.Config.Env}, StopSignal: want.Config.StopSignal,
			ExposedPorts: []engine.Port{{Number: 80, Proto: engine.TCP}},
		},
	}
	answer := func(v Version) []byte {
		a, err := Image(i, false, v)
		if err != nil {
			t.Fatal(err)
		}
		return encode(t, a)
	}
	// The version of Docker that made an image is not kept: it is dockerd's own.
	recorded := bytes.Replace(readFile(t, recordings+"image-inspect.json"), []byte(`"DockerVersion": "28.5.2"`), []byte(`"DockerVersion": ""`), 1)
	sameJSON(t, recorded, answer(MaxVersion))
	if at := bytes.Index(answer(MaxVersion), []byte(`"Config"`)); at < bytes.Index(answer(MaxVersion), []byte(`"Metadata"`)) {
		t.Error("Config does not stand last")
	}
	old := decode(t, answer(Version{1, 43}))
	if old["VirtualSize"] == nil || old["ContainerConfig"] == nil || old["Config"].(map[string]any)["AttachStdin"] != false {
		t.Errorf("in 1.43: %v", old)
	}
	if mid := decode(t, answer(Version{1, 49})); mid["ContainerConfig"] != nil || mid["Config"].(map[string]any)["Tty"] != false {
		t.Errorf("in 1.49: %v", mid)
	}
	i.Created = time.Time{}
	if _, has := decode(t, answer(MaxVersion))["Created"]; has {
		t.Error("a time that is not known is shown")
	}
	if c := decode(t, answer(Version{1, 43}))["Created"]; c != "0001-01-01T00:00:00Z" {
		t.Errorf("in 1.43 it is %v", c)
	}
}

func TestImageHistoryEqualsDockerd(t *testing.T) {
	var list []engine.HistoryEntry
	for _, h := range readJSON[[]image.HistoryResponseItem](t, recordings+"image-history.json") {
		list = append(list, engine.HistoryEntry{
			ID: engine.ImageID(h.ID), Created: time.Unix(h.Created, 0), CreatedBy: h.CreatedBy, Comment: h.Comment, Size: h.Size, Tags: h.Tags,
		})
	}
	sameJSON(t, readFile(t, recordings+"image-history.json"), encode(t, ImageHistory(list)))
	if got := ImageHistory([]engine.HistoryEntry{{}})[0].ID; got != "<missing>" {
		t.Errorf("an image that is not here is %q", got)
	}
	sameJSON(t, []byte(`{"ImagesDeleted":null,"SpaceReclaimed":0}`), encode(t, ImagesPruned(nil, 0)))
	sameJSON(t, []byte(`[{"Untagged":"a:1"},{"Deleted":"sha256:b"}]`), encode(t, ImagesDeleted([]engine.ImageDeleted{{Untagged: "a:1"}, {Deleted: "sha256:b"}})))
}

func TestDistributionEqualsDockerd(t *testing.T) {
	want := readJSON[registry.DistributionInspect](t, recordings+"distribution.json")
	d := engine.Distribution{MediaType: want.Descriptor.MediaType, Digest: string(want.Descriptor.Digest), Size: want.Descriptor.Size}
	for _, p := range want.Platforms {
		d.Platforms = append(d.Platforms, engine.Platform{OS: p.OS, Architecture: p.Architecture})
	}
	sameJSON(t, readFile(t, recordings+"distribution.json"), encode(t, Distribution(d)))
}

// The streams are compared byte by byte: clients read lines, and some read them with expressions.
func TestStreamsEqualDockerd(t *testing.T) {
	const layer, digest = "716d801f842f", "sha256:5bb054c6b2b3419ad95576ce76f31203c7947263c9e1611656476d4699cfe186"
	for name, lines := range map[string][]engine.Progress{
		"pull.jsonl": {
			{ID: "latest", Status: "Pulling from library/hello-world"},
			{Status: "Digest: sha256:fbf64fe80df5cb44df7fc705cc8973cb14a9efcb431d5be569484e5839ed1401"},
			{Status: "Status: Downloaded newer image for hello-world:latest"},
		},
		"push.jsonl": {
			{Status: "The push refers to repository [127.0.0.1:5000/gpush]"},
			{ID: layer, Status: "Preparing"},
			{ID: layer, Status: "Mounted from ck-push"},
			{Status: "1: digest: " + digest + " size: 528"},
			{Aux: &engine.ProgressAux{Tag: "1", Digest: digest, Size: 528}},
		},
		"load.jsonl": {{Stream: "Loaded image: busybox:glibc\n"}},
	} {
		var got string
		for _, p := range lines {
			got += strings.TrimSuffix(string(ProgressLine(p)), "\r\n") + "\n"
		}
		if diff := cmp.Diff(string(readFile(t, recordings+name)), got); diff != "" {
			t.Errorf("%s -dockerd +ours\n%s", name, diff)
		}
	}
}

func TestEventsEqualDockerd(t *testing.T) {
	var got bytes.Buffer
	out := json.NewEncoder(&got)
	recorded := readFile(t, recordings+"events.jsonl")
	for line := range bytes.Lines(recorded) {
		var m events.Message
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		e := engine.Event{Time: time.Unix(0, m.TimeNano), Type: engine.EventType(m.Type), Action: string(m.Action), ID: m.Actor.ID, Attributes: m.Actor.Attributes}
		if err := out.Encode(Event(e)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(recorded), got.String()); diff != "" {
		t.Error("-dockerd +ours\n" + diff)
	}
}

func TestInfoEqualsDockerd(t *testing.T) {
	want := readJSON[system.Info](t, recordings+"info.json")
	i := engine.Info{
		ID: want.ID, Name: want.Name, Containers: want.Containers, Running: want.ContainersRunning, Stopped: want.ContainersStopped,
		Images: want.Images, Driver: want.Driver, DriverStatus: want.DriverStatus, StateDir: want.DockerRootDir, Version: want.ServerVersion,
		SystemTime: asTime(t, want.SystemTime), LogDriver: want.LoggingDriver, LogDrivers: want.Plugins.Log, NetworkDrivers: want.Plugins.Network,
		VolumeDrivers: want.Plugins.Volume, Goroutines: want.NGoroutines, Descriptors: want.NFd, FirewallBackend: want.FirewallBackend.Driver,
		Capabilities: engine.Capabilities{
			OSType: want.OSType, Architecture: want.Architecture, MemoryLimit: true, SwapLimit: true, CPUShares: true, CPUQuota: true, CPUSet: true,
			PidsLimit: true, OOMKillDisable: true, CgroupVersion: want.CgroupVersion, CgroupDriver: want.CgroupDriver,
			KernelVersion: want.KernelVersion, OperatingSystem: want.OperatingSystem, OSVersion: want.OSVersion, NCPU: want.NCPU,
			MemTotal: want.MemTotal, Runtime: want.RuncCommit.ID, RuntimePath: "runc", Runtimes: map[string]string{"crun": "/usr/bin/crun"}, Security: want.SecurityOptions,
		},
	}
	// What dockerd has and this engine does not, or differs in by its nature.
	recorded := decode(t, readFile(t, recordings+"info.json"))
	for key, ours := range map[string]any{
		"KernelMemoryTCP": nil, "Containerd": nil, "LiveRestoreEnabled": true, "InitBinary": "", "CDISpecDirs": []any{},
		"ContainerdCommit": map[string]any{"ID": "N/A"}, "InitCommit": map[string]any{"ID": "N/A"},
		"Runtimes": map[string]any{"runc": map[string]any{"path": "runc"}, "crun": map[string]any{"path": "/usr/bin/crun"}},
	} {
		if recorded[key] = ours; ours == nil {
			delete(recorded, key)
		}
	}
	sameJSON(t, encode(t, recorded), encode(t, Info(i, MaxVersion, oracle)))
}

func TestInfoOfOldVersions(t *testing.T) {
	i := engine.Info{
		FirewallBackend: "pf", Insecure: []string{"10.0.0.0/8", "registry:5000"}, HTTPProxy: "http://user:secret@proxy:3128", NoProxy: "localhost",
		Capabilities: engine.Capabilities{Security: []string{"name=seccomp,profile=builtin", "name=cgroupns"}},
		Warnings:     []string{"WARNING: x"},
		AddressPools: []engine.Pool{{Subnet: netip.MustParsePrefix("10.1.0.0/16"), Range: netip.MustParsePrefix("10.1.0.0/24")}}, ForwardingOff: true,
	}
	show := func(v Version) map[string]any { return decode(t, encode(t, Info(i, v, oracle))) }
	now := show(MaxVersion)
	if s := fmt.Sprint(now["HttpProxy"], now["DefaultAddressPools"], now["Warnings"], now["RegistryConfig"]); s !=
		"http://xxxxx:xxxxx@proxy:3128[map[Base:10.1.0.0/16 Size:24]] [WARNING: x WARNING: IPv4 forwarding is disabled] "+
			"map[IndexConfigs:map[docker.io:map[Mirrors:[] Name:docker.io Official:true Secure:true] registry:5000:map[Mirrors:[] Name:registry:5000 Official:false Secure:false]] "+
			"InsecureRegistryCIDRs:[::1/128 127.0.0.0/8 10.0.0.0/8] Mirrors:<nil>]" {
		t.Error(s)
	}
	if now["BridgeNfIptables"] != nil || now["FirewallBackend"] == nil {
		t.Errorf("now: %v", now)
	}
	if v := show(Version{1, 48}); v["FirewallBackend"] != nil || v["BridgeNfIptables"] != false || v["RuncCommit"].(map[string]any)["Expected"] != "N/A" {
		t.Errorf("in 1.48: %v", v)
	}
	if _, has := show(Version{1, 46})["RegistryConfig"].(map[string]any)["AllowNondistributableArtifactsCIDRs"]; !has {
		t.Error("in 1.46 a field of the registry configuration is missing")
	}
	if v := show(Version{1, 38}); v["KernelVersion"] != "<unknown>" {
		t.Errorf("in 1.38: %v", v["KernelVersion"])
	}
	if v := show(Version{1, 24}); fmt.Sprint(v["SecurityOptions"]) != "[seccomp cgroupns]" {
		t.Errorf("in 1.24: %v", v["SecurityOptions"])
	}
	if fmt.Sprint(i.Capabilities.Security) != "[name=seccomp,profile=builtin name=cgroupns]" {
		t.Error("the engine's own list was changed")
	}
}

func TestVersionEqualsDockerd(t *testing.T) {
	want := readJSON[types.Version](t, recordings+"version.json")
	i := engine.Info{
		Version: want.Version, Commit: want.GitCommit, BuildTime: want.BuildTime,
		Capabilities: engine.Capabilities{OSType: want.Os, KernelVersion: want.KernelVersion, Runtime: "runc 1.1.5+ds1"},
	}
	recorded := decode(t, readFile(t, recordings+"version.json"))
	recorded["Platform"] = map[string]any{"Name": "xc"}
	components := recorded["Components"].([]any)
	runc := components[2].(map[string]any)
	runc["Details"].(map[string]any)["GitCommit"] = "" // the runtime's version is all that is asked of it
	recorded["Components"] = []any{components[0], runc}
	sameJSON(t, encode(t, recorded), encode(t, DaemonVersion(i, oracle, Program{GoVersion: want.GoVersion})))
}

func TestDiskUsageEqualsDockerd(t *testing.T) {
	want := readJSON[types.DiskUsage](t, recordings+"system-df.json")
	u := engine.DiskUsage{LayersSize: want.LayersSize, Containers: []engine.ContainerSummary{{Container: runningContainer(t), Size: &engine.RootSize{Writable: 2, Total: 145217467}}}}
	for _, s := range want.Images {
		u.Images = append(u.Images, asSummary(*s))
	}
	for _, v := range want.Volumes {
		u.Volumes = append(u.Volumes, engine.VolumeUsage{Volume: asVolume(t, v), Size: v.UsageData.Size, RefCount: int(v.UsageData.RefCount)})
	}
	for _, b := range want.BuildCache {
		u.BuildCache = append(u.BuildCache, engine.BuildCacheRecord{
			ID: b.ID, Type: b.Type, Description: b.Description, Parents: b.Parents, InUse: b.InUse, Shared: b.Shared, Size: b.Size,
			Created: b.CreatedAt, LastUsed: *b.LastUsedAt, Uses: b.UsageCount,
		})
	}
	all, err := DiskUsageTypes(false, nil, MaxVersion)
	if err != nil {
		t.Fatal(err)
	}
	// Containers are compared where they are rendered, in the list.
	parts := func(data []byte) []byte {
		m := decode(t, data)
		if n := len(m["Containers"].([]any)); n != 1 {
			t.Errorf("%d containers", n)
		}
		delete(m, "Containers")
		return encode(t, m)
	}
	sameJSON(t, parts(readFile(t, recordings+"system-df.json")), parts(encode(t, DiskUsage(u, all, MaxVersion, time.Now()))))

	volumes, err := DiskUsageTypes(true, []string{"volume"}, MaxVersion)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, []byte(`{"LayersSize":0,"Images":null,"Containers":null,"Volumes":[],"BuildCache":null}`),
		encode(t, DiskUsage(engine.DiskUsage{LayersSize: 5}, volumes, MaxVersion, time.Now())))
	if old := DiskUsage(u, all, Version{1, 41}, time.Now()); old.BuildCache[0].Parents != nil || old.Images[0].VirtualSize == 0 {
		t.Errorf("in 1.41: %+v", old.BuildCache[0])
	}
}

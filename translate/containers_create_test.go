package translate

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/xcengine/xc/engine"
)

// refusal is what dockerd 28.5.2 said to one create request over 1.51.
type refusal struct {
	Case     string
	Request  json.RawMessage
	Status   int
	Message  string
	Warnings []string
}

// ours are the requests that dockerd accepts, to fail at the start or to mean nothing, and we refuse at once; and the one
// of which the platform speaks.
var ours = map[string]string{
	"empty obj cmd":     "", // an image-less container
	"swap -2":           "Invalid value: -2, a memory swap limit is positive, or -1 for none",
	"blkio 5":           "Range of blkio weight is from 10 to 1000",
	"port proto":        `invalid port specification: "80"`,
	"port 0":            `invalid port specification: "0"`,
	"port empty key":    `invalid port specification: ""`,
	"hostip bad":        "invalid IP address: zzz",
	"exposed bad":       `invalid port specification: "abc"`,
	"exposed proto":     `invalid port specification: "80/zz"`,
	"userns bad":        "invalid USER mode: zz",
	"systempaths":       "", // the engine knows what the CLI means by it
	"ulimit unknown":    "invalid ulimit type: zz",
	"ulimit soft>hard":  "ulimit soft limit must be less than or equal to hard limit: 10 > 1",
	"dns bad":           "invalid DNS server: zz",
	"device mode":       "invalid device: /dev/null:/dev/x:zz",
	"gpu":               `could not select device driver "" with capabilities: [[gpu]]`,
	"hostname long":     `invalid hostname: "` + strings.Repeat("x", 300) + `"`,
	"volumes root":      "invalid specification: destination can't be '/'",
	"volumes colon":     "",
	"cmd null elements": "",
	"mems unavail":      "", // only the platform knows the host's memory nodes
}

func TestCreateRefusesAsDockerd(t *testing.T) {
	host := oracle
	for _, r := range readJSON[[]refusal](t, "testdata/refusals.json") {
		t.Run(r.Case, func(t *testing.T) {
			var body container.CreateRequest
			if err := json.Unmarshal(r.Request, &body); err != nil {
				t.Fatal(err)
			}
			_, warnings, err := Create(body, CreateQuery{Version: MaxVersion}, host)
			got := ""
			if err != nil {
				got = Message(err)
			}
			want, known := ours[r.Case]
			if !known {
				want = r.Message
				if err != nil && map[engine.Kind]int{engine.Invalid: 400, engine.Internal: 500}[Kind(err)] != r.Status {
					t.Errorf("kind %v, dockerd answers %d", Kind(err), r.Status)
				}
				if r.Status == 201 && !slices.Equal(warnings, r.Warnings) && len(warnings)+len(r.Warnings) > 0 {
					t.Errorf("warnings %q, dockerd has %q", warnings, r.Warnings)
				}
			}
			if got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func TestCreateSpec(t *testing.T) {
	var body container.CreateRequest
	request := `{"Image":"i","Cmd":["a"],"WorkingDir":"/w/../x/","HostConfig":{
		"Binds":["/src/:/dst/:ro,rslave","vol:/v:nocopy","/anon"],
		"PortBindings":{"80/tcp":[{"HostIp":"::1","HostPort":"8000-8010"},{"HostPort":""}]},
		"Memory":10485760,"PidsLimit":0,"MemorySwappiness":-1,
		"Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":1024,"Mode":1023}}]},
		"NetworkingConfig":{"EndpointsConfig":{"default":{"MacAddress":"02-42-AC-11-00-05"}}},"Unknown":{"a":[1]}}`
	if err := json.Unmarshal([]byte(request), &body); err != nil {
		t.Fatal(err)
	}
	req, _, err := Create(body, CreateQuery{Name: "/n", Platform: "arm64", Version: MaxVersion}, oracle)
	if err != nil {
		t.Fatal(err)
	}
	s := req.Spec
	bind, vol, anon, tmp := s.Mounts[0], s.Mounts[1], s.Mounts[2], s.Mounts[3]
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"name", req.Name, "n"},
		{"platform", *req.Platform, engine.Platform{OS: "linux", Architecture: "arm64"}},
		{"directory", s.Process.WorkDir, "/x"},
		{"mode", s.Network.Mode, engine.NetworkMode("bridge")},
		{"endpoint", req.Endpoints["bridge"].MAC, "02:42:ac:11:00:05"},
		{"bind", [3]any{bind.Kind, bind.Source, bind.Target}, [3]any{engine.MountBind, "/src", "/dst"}},
		{"bind options", [3]any{bind.ReadOnly, bind.Propagation, bind.CreateSource}, [3]any{true, "rslave", true}},
		{"volume", [3]any{vol.Kind, vol.Source, vol.NoCopy}, [3]any{engine.MountVolume, "vol", true}},
		{"anonymous", [3]any{anon.Kind, anon.Source, anon.Target}, [3]any{engine.MountVolume, "", "/anon"}},
		{"tmpfs", [3]any{tmp.Kind, tmp.TmpfsSize, tmp.TmpfsMode}, [3]any{engine.MountTmpfs, int64(1024), uint32(0o1777)}},
		{"swap", s.Resources.MemorySwap, int64(20 << 20)},
		{"no pids limit", s.Resources.PidsLimit == nil, true},
		{"no swappiness", s.Resources.Swappiness == nil, true},
		{"ports", [3]any{s.Network.Bindings[0].HostFirst, s.Network.Bindings[0].HostLast, s.Network.Bindings[0].HostIP.String()}, [3]any{uint16(8000), uint16(8010), "::1"}},
		{"free port", [2]any{s.Network.Bindings[1].HostFirst, s.Network.Bindings[1].HostIP.IsValid()}, [2]any{uint16(0), false}},
		{"restart", s.Restart.Name, engine.RestartNo},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

// TestOldClients holds what differs for clients of older versions.
func TestOldClients(t *testing.T) {
	create := func(version, request string) (engine.CreateRequest, []string, error) {
		var body container.CreateRequest
		if err := json.Unmarshal([]byte(request), &body); err != nil {
			t.Fatal(err)
		}
		v, err := ParseVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		return Create(body, CreateQuery{Platform: "linux/arm64", Version: v}, oracle)
	}
	for _, c := range []struct{ version, request, want string }{
		{"1.43", `{"Image":"i","NetworkingConfig":{"EndpointsConfig":{"a":{},"b":{}}}}`, "Container cannot be created with multiple network endpoints: a, b"},
		{"1.44", `{"Image":"i","HostConfig":{"Mounts":[{"Type":"volume","Source":"v","Target":"/x","VolumeOptions":{"Subpath":"a"}}]}}`, "VolumeOptions.Subpath needs API v1.45 or newer"},
		{"1.47", `{"Image":"i","HostConfig":{"Mounts":[{"Type":"image","Source":"v","Target":"/x"}]}}`, `Mount type "Image" needs API v1.48 or newer`},
		{"1.43", `{"Image":"i","HostConfig":{"Mounts":[{"Type":"bind","Source":"/v","Target":"/x","BindOptions":{"ReadOnlyForceRecursive":true}}]}}`, "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer"},
		{"1.43", `{"Image":"i","MacAddress":"02:42:ac:11:00:05","HostConfig":{"NetworkMode":"none"}}`, "conflicting options: mac-address and the network mode"},
		{"1.44", `{"Image":"i","MacAddress":"02:42:ac:11:00:05","NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"02:42:ac:11:00:06"}}}}`, "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty"},
		{"1.44", `{"Image":"i","MacAddress":"02:42:ac:11:00:05","NetworkingConfig":{"EndpointsConfig":{"other":{}}}}`, "unable to migrate container-wide MAC address to a specific network: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks"},
		{"1.46", `{"Image":"i","HostConfig":{"Sysctls":{"net.ipv4.conf.eth1.forwarding":"1"}}}`, "unable to determine network endpoint for sysctl net.ipv4.conf.eth1.forwarding, use driver option 'com.docker.network.endpoint.sysctls' to set per-interface sysctls"},
	} {
		if _, _, err := create(c.version, c.request); err == nil || Message(err) != c.want {
			t.Errorf("%s %s:\ngot  %v\nwant %s", c.version, c.request, err, c.want)
		}
	}

	req, _, err := create("1.39", `{"Image":"i","Healthcheck":{"StartInterval":5000000},"HostConfig":{"AutoRemove":true,"ConsoleSize":[3,4],"Annotations":{"a":"b"},
		"Binds":["/a:/b:ro"],"Mounts":[{"Type":"tmpfs","Target":"/t","VolumeOptions":{}}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	s := req.Spec
	if req.Platform != nil || s.Health.StartInterval != 0 || s.Annotations != nil || s.Process.ConsoleSize != [2]uint16{} ||
		s.Security.IpcMode != "shareable" || s.Security.CgroupnsMode != "host" || !s.AutoRemove || !s.Mounts[0].ReadOnlyNonRecursive {
		t.Errorf("over 1.39: %+v", s)
	}

	req, warnings, err := create("1.46", `{"Image":"i","HostConfig":{"Sysctls":{"net.ipv4.conf.eth0.forwarding":"1","net.core.somaxconn":"5"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	const moved = "net.ipv4.conf.IFNAME.forwarding=1"
	if req.Endpoints["bridge"].DriverOpts[sysctlOption] != moved || len(req.Spec.Security.Sysctls) != 1 ||
		!slices.Equal(warnings, []string{`Migrated sysctl "net.ipv4.conf.eth0.forwarding" to DriverOpts{"com.docker.network.endpoint.sysctls":"` + moved + `"}.`}) {
		t.Errorf("sysctls %v, endpoints %v, warnings %q", req.Spec.Security.Sysctls, req.Endpoints, warnings)
	}
}

func TestPlatform(t *testing.T) {
	for in, want := range map[string]engine.Platform{
		"linux":             {OS: "linux", Architecture: "amd64"},
		"FreeBSD/x86_64":    {OS: "freebsd", Architecture: "amd64"},
		"aarch64":           {OS: "linux", Architecture: "arm64"},
		"linux/arm/7":       {OS: "linux", Architecture: "arm", Variant: "v7"},
		"linux/arm64/v8":    {OS: "linux", Architecture: "arm64"},
		"windows/amd64":     {OS: "windows", Architecture: "amd64"},
		"Windows":           {OS: "windows", Architecture: "amd64"},
		"macOS":             {OS: "darwin", Architecture: "amd64"},
		"linux/armhf":       {OS: "linux", Architecture: "arm", Variant: "v7"},
		"linux/riscv64":     {OS: "linux", Architecture: "riscv64"},
		"linux/loong64/sth": {OS: "linux", Architecture: "loong64", Variant: "sth"},
	} {
		got, err := Platform(in, oracle)
		if err != nil || *got != want {
			t.Errorf("%s: %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"zz/yy/xx/ww", "", "linux/", "what", "linux/a b"} {
		if got, err := Platform(in, oracle); err == nil {
			t.Errorf("%q was taken for %v", in, got)
		}
	}
}

func FuzzCreate(f *testing.F) {
	for _, r := range readSeeds(f) {
		f.Add([]byte(r.Request), "1.51")
	}
	f.Add([]byte(`{"Image":"i","HostConfig":null,"NetworkingConfig":{"EndpointsConfig":{"default":null}}}`), "1.24")
	f.Fuzz(func(t *testing.T, data []byte, version string) {
		var body container.CreateRequest
		v, err := ParseVersion(version)
		if err != nil || json.Unmarshal(data, &body) != nil {
			return
		}
		req, _, err := Create(body, CreateQuery{Version: v}, oracle)
		if err != nil {
			if Message(err) == "" {
				t.Error("a refusal without a word")
			}
			return
		}
		c := engine.Container{Name: "n", ID: sampleID, Spec: req.Spec, Endpoints: map[string]engine.Endpoint{}}
		for name, e := range req.Endpoints {
			c.Endpoints[name] = engine.Endpoint{Spec: e}
		}
		if _, err := json.Marshal(Inspect(c, nil, v, oracle)); err != nil {
			t.Error(err)
		}
	})
}

func readSeeds(f *testing.F) (seeds []refusal) {
	f.Helper()
	data, err := os.ReadFile("testdata/refusals.json")
	if err == nil {
		err = json.Unmarshal(data, &seeds)
	}
	if err != nil {
		f.Fatal(err)
	}
	return seeds
}

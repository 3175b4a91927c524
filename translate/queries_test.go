package translate

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

// parse reads filters that are right.
func parse(t *testing.T, s string) Filters {
	t.Helper()
	f, err := ParseFilters(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestQueriesAreRefusedAsByDockerd holds what a real dockerd 28.5.2 answered to each.
func TestQueriesAreRefusedAsByDockerd(t *testing.T) {
	query := func(f func() error) error { return f() }
	filters := func(s string, f func(Filters) error) error { return f(parse(t, s)) }
	ipam := func(c ...network.IPAMConfig) network.CreateRequest {
		return network.CreateRequest{Name: "n", CreateOptions: network.CreateOptions{IPAM: &network.IPAM{Config: c}}}
	}
	create := func(b network.CreateRequest) error { _, err := NetworkRequest(b, MaxVersion); return err }
	named := func(o network.CreateOptions) network.CreateRequest {
		return network.CreateRequest{Name: "n", CreateOptions: o}
	}
	networks := func(f Filters) error { _, err := NetworkQuery(f); return err }
	volumes := func(f Filters) error { _, err := VolumeQuery(f); return err }
	volumePrune := func(f Filters) error { _, err := VolumePrune(f, MaxVersion); return err }
	images := func(f Filters) error {
		_, err := ImageQuery(ImageListQuery{Filters: f}, MaxVersion, noon)
		return err
	}
	imagePrune := func(f Filters) error { _, err := ImagePrune(f, noon); return err }
	search := func(f Filters) error { _, err := SearchFilters(f); return err }
	pull := func(p PullQuery) error { _, err := Pull(p, MaxVersion, oracle); return err }
	platform := func(s ...string) error { _, err := JSONPlatform(s, PlatformSince, MaxVersion); return err }
	events := func(since, until string) error {
		_, err := EventQuery(EventsQuery{Since: since, Until: until})
		return err
	}
	for want, err := range map[string]error{
		"invalid name: name is empty": create(network.CreateRequest{}),
		"invalid network config:\ninvalid subnet foo: invalid CIDR block notation":                                      create(ipam(network.IPAMConfig{Subnet: "foo"})),
		"invalid network config:\ninvalid subnet 10.251.0.5/24: it should be 10.251.0.0/24":                             create(ipam(network.IPAMConfig{Subnet: "10.251.0.5/24"})),
		"invalid network config:\ninvalid gateway 10.9.9.9: parent subnet 10.251.0.0/24 doesn't contain this address":   create(ipam(network.IPAMConfig{Subnet: "10.251.0.0/24", Gateway: "10.9.9.9"})),
		"invalid network config:\ninvalid ip-range 10.252.0.0/25: parent subnet 10.251.0.0/24 doesn't contain ip-range": create(ipam(network.IPAMConfig{Subnet: "10.251.0.0/24", IPRange: "10.252.0.0/25"}, network.IPAMConfig{Subnet: "fd00::/64"})),
		`driver-opt "com.docker.network.enable_ipv6" is not a valid bool`:                                               create(named(network.CreateOptions{Options: map[string]string{optEnableIPv6: "maybe"}})),
		"invalid filter 'foo'":           filters(`{"foo":["x"]}`, networks),
		"500 invalid filter: 'type'='x'": filters(`{"type":["x"]}`, networks),
		`invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`: filters(`{"dangling":["x"]}`, networks),
		`got more than one value for filter key "dangling"`:                                 filters(`{"dangling":["1","0"]}`, networks),
		`invalid value for verbose: foo: strconv.ParseBool: parsing "foo": invalid syntax`:  CheckVerbose("foo"),
		"403 " + noManager: create(named(network.CreateOptions{Driver: "overlay"})),
		"403 cannot create a swarm scoped network when swarm is not active": create(named(network.CreateOptions{Scope: "swarm"})),
		"403 Ingress network can only be global scope network":              create(named(network.CreateOptions{Ingress: true})),
		`invalid name or ID supplied: ""`:                                   query(func() error { _, err := Connect("n", network.ConnectOptions{}); return err }),
		"404 network n not found":                                           NetworkScope(engine.NetworkDetail{Network: engine.Network{Scope: "local"}}, "n", "swarm"),

		"503 " + noManager: query(func() error {
			_, err := VolumeRequest(volume.CreateOptions{ClusterVolumeSpec: &volume.ClusterVolumeSpec{}}, MaxVersion)
			return err
		}),
		"invalid filter 'until'":        filters(`{"until":["1h"]}`, volumes),
		"invalid filter 'dangling=[x]'": filters(`{"dangling":["x"]}`, volumes),
		`invalid filter 'all': strconv.ParseBool: parsing "x": invalid syntax`: filters(`{"all":["x"]}`, volumePrune),
		"invalid filter 'all=[0 1]': only one value is expected":               filters(`{"all":["0","1"]}`, volumePrune),
		"error reading volume filters: invalid filter":                         query(func() error { _, err := ParseFilters("foo"); return BadVolumeFilters(err) }),

		"invalid filter 'bar'":                                                             filters(`{"bar":["x"]}`, images),
		"more than one until filter specified":                                             filters(`{"until":["1h","2h"]}`, imagePrune),
		`invalid limit specified: strconv.Atoi: parsing "foo": invalid syntax`:             query(func() error { _, err := SearchLimit("foo"); return err }),
		"limit 500 is outside the range of [1, 100]":                                       query(func() error { _, err := SearchLimit("500"); return err }),
		`invalid filter 'stars=x': strconv.Atoi: parsing "x": invalid syntax`:              filters(`{"stars":["x"]}`, search),
		"invalid reference format: repository name (library/UPPER) must be lowercase":      pull(PullQuery{Image: "UPPER"}),
		"403 'scratch' is a reserved name":                                                 pull(PullQuery{Image: "scratch"}),
		"invalid tag format":                                                               pull(PullQuery{Image: "x", Tag: "a b"}),
		`"foo/bar/baz/q": cannot parse platform specifier: invalid argument`:               pull(PullQuery{Image: "x", Platform: "foo/bar/baz/q"}),
		"failed to parse platform: invalid character 'o' in literal false (expecting 'a')": platform("foo"),
		"both OS and Architecture must be provided":                                        platform(`{"os":"linux"}`),
		"optional platform fields provided, but OS and Architecture are missing":           platform(`{"variant":"v7"}`),
		"multiple platform parameters not supported":                                       platform("{}", "{}"),
		"failed to parse platform: unexpected end of JSON input":                           query(func() error { _, err := RemovePlatforms([]string{""}, MaxVersion); return err }),
		"conflicting options: manifests and platform options cannot both be set": query(func() error {
			_, err := InspectPlatform([]string{`{"os":"linux","architecture":"amd64"}`}, true, MaxVersion)
			return err
		}),
		"refusing to create an ambiguous tag using digest algorithm as name":       query(func() error { _, err := TagTarget("sha256", "x"); return err }),
		"invalid reference format: repository name (library/UP) must be lowercase": query(func() error { _, err := TagTarget("UP", "x"); return err }),
		"cannot import digest reference": query(func() error {
			_, err := Target("a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "")
			return err
		}),
		"image name cannot be blank": CheckImageName(" "),
		"500 no manifest found for full image ID": query(func() error {
			_, err := DistributionRef("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
			return err
		}),
		"build ID not provided": CheckBuildID(""),
		"keep-storage is in bytes and expects an integer, got x: strconv.Atoi: parsing \"x\": invalid syntax": query(func() error {
			_, err := CachePrune(false, map[string]string{"keep-storage": "x"}, nil, noon)
			return err
		}),

		"`since` time (5) cannot be after `until` time (3)":   events("5", "3"),
		`500 strconv.ParseInt: parsing "foo": invalid syntax`: events("foo", ""),
		"unknown object type: foo":                            query(func() error { _, err := DiskUsageTypes(true, []string{"foo"}, MaxVersion); return err }),
	} {
		if err == nil {
			t.Errorf("not refused: %s", want)
			continue
		}
		got := Message(err)
		switch Kind(err) {
		case engine.Invalid:
		case engine.Internal:
			got = "500 " + got
		case engine.Forbidden:
			got = "403 " + got
		case engine.NotFound:
			got = "404 " + got
		case engine.Unavailable:
			got = "503 " + got
		default:
			t.Errorf("%s: kind %v", got, Kind(err))
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestVolumeQueries(t *testing.T) {
	q, err := VolumeQuery(parse(t, `{"name":["a","b"],"driver":["local"],"label":["x=y","z"],"dangling":["1"]}`))
	yes := true
	want := engine.VolumeQuery{Names: []string{"a", "b"}, Drivers: []string{"local"}, Dangling: &yes, Labels: []engine.LabelMatch{{Key: "x", Value: "y", HasValue: true}, {Key: "z"}}}
	if diff := cmp.Diff(want, q); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for filters, want := range map[string][2]bool{"": {false, true}, `{"all":["true"]}`: {true, true}, `{"all":["0"]}`: {false, true}} {
		now, err1 := VolumePrune(parse(t, filters), MaxVersion)
		old, err2 := VolumePrune(parse(t, filters), Version{1, 41})
		if err1 != nil || err2 != nil || now.All != want[0] || old.All != want[1] {
			t.Errorf("%s: now all is %v, in 1.41 %v; %v %v", filters, now.All, old.All, err1, err2)
		}
	}
}

func TestNetworkRequest(t *testing.T) {
	no := false
	body := network.CreateRequest{Name: "n", CreateOptions: network.CreateOptions{
		EnableIPv4: &no, Options: map[string]string{optEnableIPv6: "1"}, ConfigFrom: &network.ConfigReference{Network: "tmpl"}, Scope: "local",
	}}
	req, err := NetworkRequest(body, MaxVersion)
	if err != nil || req.EnableIPv4 == nil || *req.EnableIPv4 || req.EnableIPv6 == nil || !*req.EnableIPv6 || req.ConfigFrom != "tmpl" {
		t.Errorf("got %+v, %v", req, err)
	}
	if old, err := NetworkRequest(body, Version{1, 47}); err != nil || old.EnableIPv4 != nil {
		t.Errorf("in 1.47: %v, %v", old.EnableIPv4, err)
	}
}

func TestPullAndPush(t *testing.T) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, c := range []struct {
		image, tag, want string
		all              bool
	}{
		{"busybox", "latest", "docker.io/library/busybox:latest", false},
		{"busybox:1.36", "", "docker.io/library/busybox:1.36", false},
		{"busybox", "", "docker.io/library/busybox", true},
		{"busybox:", "", "docker.io/library/busybox", true},
		{"busybox", digest, "docker.io/library/busybox@" + digest, false},
		{"localhost:5000/team/app", "v1", "localhost:5000/team/app:v1", false},
		{"busybox:1@" + digest, "", "docker.io/library/busybox:1@" + digest, false},
	} {
		got, err := Pull(PullQuery{Image: c.image, Tag: c.tag}, MaxVersion, oracle)
		if err != nil || got.Ref != c.want || got.All != c.all || got.Platform != nil {
			t.Errorf("%s %s: %+v, %v", c.image, c.tag, got, err)
		}
	}
	p, err := Pull(PullQuery{Image: "a", Tag: "b", Platform: "linux/arm64"}, MaxVersion, oracle)
	if err != nil || *p.Platform != (engine.Platform{OS: "linux", Architecture: "arm64"}) {
		t.Errorf("platform: %+v, %v", p.Platform, err)
	}
	if old, err := Pull(PullQuery{Image: "a", Tag: "b", Platform: "linux/arm64"}, Version{1, 31}, oracle); err != nil || old.Platform != nil {
		t.Errorf("in 1.31: %+v, %v", old.Platform, err)
	}
	push, err := Push("localhost:5000/a", "1", []string{`{"os":"linux","architecture":"amd64"}`}, engine.Credentials{}, MaxVersion)
	if err != nil || push.Ref != "localhost:5000/a:1" || push.All || push.Platform == nil {
		t.Errorf("push: %+v, %v", push, err)
	}
	if push, err = Push("busybox", "", nil, engine.Credentials{}, MaxVersion); err != nil || push.Ref != "busybox" || !push.All {
		t.Errorf("push of all: %+v, %v", push, err)
	}
}

func TestImportAndCommit(t *testing.T) {
	for platform, want := range map[string]string{
		"macos": "operating system is not supported", "macos/arm64": "operating system is not supported", " ": `" " is an invalid OS component of " "`,
		"/": `"" is an invalid OS component of "/"`, "nintendo64": "unknown operating system or architecture", "linux/x y": `"x y" is an invalid component of "linux/x y"`,
	} {
		_, err := Import(ImportQuery{Source: "-", Platform: platform}, MaxVersion, oracle)
		if engine.KindOf(err) != engine.Invalid || !strings.Contains(Message(err), want) {
			t.Errorf("import for %q: %v", platform, err)
		}
	}
	i, err := Import(ImportQuery{Repo: "a", Source: "-", Changes: []string{"CMD x"}}, MaxVersion, oracle)
	if err != nil || i.Ref != "a:latest" || i.Message != "Imported from -" || len(i.Changes) != 1 {
		t.Errorf("import: %+v, %v", i, err)
	}
	c, err := Commit(CommitQuery{Container: "c", Repo: "r", Tag: "t", Pause: true}, &container.Config{})
	if err != nil || c.Ref != "r:t" || c.Config != nil || !c.Pause {
		t.Errorf("commit without a configuration: %+v, %v", c, err)
	}
	c, err = Commit(CommitQuery{Container: "c"}, &container.Config{Cmd: []string{"x"}, Labels: map[string]string{"a": "b"}, Tty: true})
	if err != nil || c.Ref != "" || c.Config == nil || c.Config.Process.Cmd[0] != "x" || c.Config.Labels["a"] != "b" || c.Config.Process.TTY {
		t.Errorf("commit with one: %+v, %v", c.Config, err)
	}
}

func TestImageQueries(t *testing.T) {
	f := parse(t, `{"reference":["a*"],"before":["x"],"until":["1h"],"dangling":["false"]}`)
	q, err := ImageQuery(ImageListQuery{All: true, SharedSize: true, Name: "old", Filters: f}, MaxVersion, noon)
	no := false
	want := engine.ImageQuery{
		All: true, SharedSize: true, References: []string{"a*"}, Before: "x", Dangling: &no, Until: noon.Add(-time.Hour),
	}
	if diff := cmp.Diff(want, q); diff != "" || err != nil {
		t.Error(diff, err)
	}
	old, err := ImageQuery(ImageListQuery{SharedSize: true, Name: "old", Filters: f}, Version{1, 40}, noon)
	if err != nil || old.SharedSize || !cmp.Equal(old.References, []string{"a*", "old"}) || len(f["reference"]) != 1 {
		t.Errorf("in 1.40: %+v, %v", old, err)
	}
	for s, all := range map[string]bool{"": false, `{"dangling":["true"]}`: false, `{"dangling":["0"]}`: true} {
		if q, err := ImagePrune(parse(t, s), noon); err != nil || q.All != all {
			t.Errorf("prune %s: %+v, %v", s, q, err)
		}
	}
	hits := []engine.SearchResult{{Name: "a", Stars: 5, Official: true}, {Name: "b", Stars: 1}}
	for s, n := range map[string]int{"": 2, `{"stars":["3"]}`: 1, `{"is-official":["true"]}`: 1, `{"is-automated":["true"]}`: 0} {
		f, err := SearchFilters(parse(t, s))
		if got := SearchResults(hits, f); err != nil || len(got) != n {
			t.Errorf("search %s: %v, %v", s, got, err)
		}
	}
	if n, err := SearchLimit(""); n != 25 || err != nil {
		t.Errorf("limit %d, %v", n, err)
	}
}

func TestEventQuery(t *testing.T) {
	q, err := EventQuery(EventsQuery{Since: "1795437213.544470782", Until: "1795437214", Filters: parse(t, `{"type":["container"],"event":["die"],"label":["a=b"],"plugin":["p"],"nobody":["knows"]}`)})
	want := engine.EventQuery{
		Since: time.Unix(1795437213, 544470782), Until: time.Unix(1795437214, 0), Types: []engine.EventType{engine.EventContainer}, Actions: []string{"die"},
		Labels: []engine.LabelMatch{{Key: "a", Value: "b", HasValue: true}}, Foreign: [][]string{{"p"}},
	}
	if diff := cmp.Diff(want, q); diff != "" || err != nil {
		t.Error(diff, err)
	}
	e := engine.Event{Type: engine.EventImage, Action: "create"}
	if !ShowsEvent(e, MaxVersion) || ShowsEvent(e, Version{1, 45}) || !ShowsEvent(engine.Event{Type: engine.EventContainer, Action: "create"}, Version{1, 24}) {
		t.Error("the creation of an image is told since 1.46")
	}
}

func TestCredentials(t *testing.T) {
	const secret = `{"username":"u","password":"p???>>>","serveraddress":"r:5000","identitytoken":"i","registrytoken":"t"}`
	want := engine.Credentials{Username: "u", Password: "p???>>>", ServerAddress: "r:5000", IdentityToken: "i", RegistryToken: "t"}
	for name, e := range map[string]*base64.Encoding{
		"url": base64.URLEncoding, "standard": base64.StdEncoding, "url without padding": base64.RawURLEncoding, "standard without padding": base64.RawStdEncoding,
	} {
		if got := Credentials(e.EncodeToString([]byte(secret))); got != want {
			t.Errorf("%s: %#v", name, got)
		}
	}
	for _, none := range []string{"", "e30=", "e30", "null", "!!!", base64.URLEncoding.EncodeToString([]byte("[1]")), base64.URLEncoding.EncodeToString([]byte("null"))} {
		if got := Credentials(none); got != (engine.Credentials{}) {
			t.Errorf("%q: %#v", none, got)
		}
	}
	got := AuthConfig(registry.AuthConfig{Auth: base64.StdEncoding.EncodeToString([]byte("u:a:b"))})
	if got.Username != "u" || got.Password != "a:b" {
		t.Errorf("joined: %#v", got)
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add("e30=")
	f.Fuzz(func(_ *testing.T, header string) { Credentials(header) })
}

// The bars are those of jsonmessage's own tests.
func TestProgressBar(t *testing.T) {
	for _, c := range []struct {
		current, total int64
		want           string
	}{
		{0, 0, ""},
		{1, 0, "      1B"},
		{20, 100, "[==========>                                        ]      20B/100B"},
		{50, 100, "[=========================>                         ]      50B/100B"},
		{100, 100, "[==================================================>]     100B/100B"},
		{150, 100, "[==================================================>]     150B"},
		{0, 100, "[>                                                  ]       0B/100B"},
		{3145728, 31457280, "[=====>                                             ]  3.146MB/31.46MB"},
	} {
		if got := progressBar(c.current, c.total); got != c.want {
			t.Errorf("%d of %d:\n%q\n%q", c.current, c.total, got, c.want)
		}
	}
}

func TestProgressLines(t *testing.T) {
	for want, p := range map[string]engine.Progress{
		`{"status":"Downloading","progressDetail":{"current":1048576,"total":2097152},"progress":"[=========================\u003e                         ]  1.049MB/2.097MB","id":"abc"}`: {ID: "abc", Status: "Downloading", Current: 1048576, Total: 2097152},
		`{"status":"Pulling fs layer","progressDetail":{},"id":"abc"}`: {ID: "abc", Status: "Pulling fs layer"},
		`{"aux":{"ID":"sha256:ab"}}`:                                   {Aux: &engine.ProgressAux{ID: "sha256:ab"}},
	} {
		if got := string(ProgressLine(p)); got != want+"\r\n" {
			t.Errorf("got  %swant %s", got, want)
		}
	}
	err := &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceImage, ID: "x:1"}
	if got := string(ErrorLine(err)); got != `{"errorDetail":{"message":"No such image: x:1"},"error":"No such image: x:1"}`+"\r\n" {
		t.Errorf("got %s", got)
	}
	if got := string(StatusLine("sha256:ab")); got != `{"status":"sha256:ab"}`+"\r\n" {
		t.Errorf("got %s", got)
	}
}

func TestProxiesAreShownWithoutCredentials(t *testing.T) {
	for address, want := range map[string]string{
		"":                                 "",
		"http://proxy:3128":                "http://proxy:3128",
		"proxy:3128":                       "proxy:3128",
		"http://user:secret@proxy:3128/":   "http://xxxxx:xxxxx@proxy:3128/",
		"user:secret@proxy:3128":           "xxxxx:xxxxx@proxy:3128",
		"secret@proxy":                     "xxxxx:xxxxx@proxy",
		"socks5://us%40er:se@cret@[::1]:1": "socks5://xxxxx:xxxxx@[::1]:1",
	} {
		if got := maskProxy(address); got != want {
			t.Errorf("%s is shown as %s, want %s", address, got, want)
		}
	}
}

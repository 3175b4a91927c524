package imageformat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// plain is a JSON document without the members that say nothing: null, "", false, 0, empty lists and objects.
func plain(t testing.TB, raw []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return strip(v)
}

func strip(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if e = strip(e); e == nil {
				delete(x, k)
			} else {
				x[k] = e
			}
		}
		if len(x) == 0 {
			return nil
		}
	case []any:
		if len(x) == 0 {
			return nil
		}
	case string:
		if x == "" {
			return nil
		}
	case bool:
		if !x {
			return nil
		}
	case float64:
		if x == 0 {
			return nil
		}
	}
	return v
}

// TestNothingIsLost: what is read is written again, known or not, at every level.
func TestNothingIsLost(t *testing.T) {
	for _, name := range []string{"docker.json", "xc.json"} {
		raw := golden(t, name)
		img, err := ParseConfig(raw)
		if err != nil {
			t.Fatal(err)
		}
		out, err := img.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		want := plain(t, raw)
		if name == "docker.json" {
			// The one object of Docker's that is not kept open for what is not known.
			delete(want.(map[string]any)["config"].(map[string]any)["Healthcheck"].(map[string]any), "Future")
		}
		if diff := cmp.Diff(want, plain(t, out)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		again, err := ParseConfig(out)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := again.Marshal()
		if err != nil || string(twice) != string(out) {
			t.Errorf("%s: the second writing differs: %v", name, err)
		}
	}
}

func TestParseConfig(t *testing.T) {
	img, err := ParseConfig(golden(t, "docker.json"))
	if err != nil {
		t.Fatal(err)
	}
	timeout := 10
	want := RunConfig{
		User: "redis:redis", ExposedPorts: []string{"53/udp", "6379/tcp"},
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PRICE=$5 & up", "EMPTY="},
		Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"redis-server", "--port", "$PORT"}, Volumes: []string{"/conf", "/data"},
		WorkingDir: "/data", Labels: map[string]string{"a": "<b>", "org.opencontainers.image.title": "t"}, StopSignal: "SIGINT",
		StopTimeout: &timeout, Healthcheck: &Healthcheck{
			Test: []string{"CMD-SHELL", "redis-cli ping || exit 1"}, Interval: 30 * time.Second, Timeout: 3 * time.Second,
			StartPeriod: 5 * time.Second, StartInterval: time.Second, Retries: 3,
		},
		OnBuild: []string{"COPY . /src"}, Shell: []string{"/bin/bash", "-c"}, ArgsEscaped: true,
	}
	got := img.Run
	if len(got.Extra) == 0 || string(got.Extra["MacAddress"]) != `""` {
		t.Errorf("extra: %s", got.Extra)
	}
	got.Extra = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p := FormatPlatform(img.Platform); p != "linux/amd64/v3" || img.DockerVersion != "20.10.23" || len(img.History) != 2 {
		t.Errorf("%s %s %d", p, img.DockerVersion, len(img.History))
	}
	if _, ok := img.Extra["moby.buildkit.buildinfo.v1"]; !ok || img.Extra["container"] == nil {
		t.Error("unknown keys are lost")
	}
}

func TestOddConfigs(t *testing.T) {
	const rootfs = `"rootfs":{"type":"layers","diff_ids":[]}`
	for name, c := range map[string]struct {
		raw  string
		want string // of the error; empty: none
	}{
		"smallest":          {`{` + rootfs + `}`, ""},
		"words as string":   {`{"config":{"Cmd":"run it","Entrypoint":["a"]},` + rootfs + `}`, ""},
		"null":              {`{"config":null,"created":null,"history":null,` + rootfs + `}`, ""},
		"keys in lower":     {`{"config":{"cmd":["x"],"env":["A=1"]},` + rootfs + `}`, ""},
		"no rootfs":         {`{"os":"linux"}`, "no rootfs"},
		"other rootfs":      {`{"rootfs":{"type":"windows","diff_ids":[]}}`, "rootfs type"},
		"no digest":         {`{"rootfs":{"type":"layers","diff_ids":["../../x"]}}`, "digest"},
		"digest too short":  {`{"rootfs":{"type":"layers","diff_ids":["sha256:ab"]}}`, "digest"},
		"upper case digest": {`{"rootfs":{"type":"layers","diff_ids":["sha256:571ADE696B261F0FF46E3CDAC4635AFC009C4ED3429950CB95CD7E5F70BA0A07"]}}`, "digest"},
		"no JSON":           {`hello`, "config"},
		"a list":            {`[]`, "config"},
		"wrong types":       {`{"config":{"Env":{"A":1}},` + rootfs + `}`, "config"},
		"cmd of numbers":    {`{"config":{"Cmd":[1]},` + rootfs + `}`, "config"},
		"too large":         {`{"comment":"` + strings.Repeat("x", MaxDocument) + `",` + rootfs + `}`, "more than"},
	} {
		_, err := ParseConfig([]byte(c.raw))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	img, err := ParseConfig([]byte(`{"config":{"cmd":["x"],"Entrypoint":"one"},` + rootfs + `}`))
	if err != nil || len(img.Run.Cmd) != 1 || len(img.Run.Entrypoint) != 1 || img.Run.Extra != nil {
		t.Errorf("got %+v, %v", img.Run, err)
	}
}

func TestOriginalXC(t *testing.T) {
	img, err := ParseConfig(golden(t, "xc.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got := FormatPlatform(Normalize(img.Platform)); got != "freebsd/amd64" {
		t.Errorf("platform %s", got)
	}
	got := img.Effective()
	want := RunConfig{
		Entrypoint: []string{"/usr/local/bin/server", "--port", "80"}, Cmd: []string{"--token", "$TOKEN"},
		Env: []string{"BASE=x", "PORT=80", "URL=http://localhost:80/x"}, WorkingDir: "/srv", User: "www:www",
		ExposedPorts: []string{"80/tcp", "8000/udp", "8001/udp", "8002/udp"}, Volumes: []string{"/conf", "/data"}, Labels: map[string]string{"k": "v"},
	}
	got.Extra = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	j := img.JailConfig()
	if !j.VNET || j.SecureLevel != 2 || j.OSReldate != 1302001 || j.SysVShm != SysVInherit || j.Linux || !j.Envs["TOKEN"].Required {
		t.Errorf("got %+v", j)
	}
	if name, e, ok := j.Default(); !ok || name != "main" || e.WorkDir != "/srv" {
		t.Errorf("default %q %+v", name, e)
	}
}

// TestSetJail: what xc writes runs on Docker, and another tool's change of the process is not lost on xc.
func TestSetJail(t *testing.T) {
	img, err := ParseConfig(golden(t, "xc.json"))
	if err != nil {
		t.Fatal(err)
	}
	img.SetJail(img.JailConfig())
	raw, err := img.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	img, err = ParseConfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/usr/local/bin/server", "--port", "80"}, img.Run.Entrypoint); diff != "" {
		t.Error(diff)
	}
	if name, _, _ := img.JailConfig().Default(); name != "main" {
		t.Errorf("an image that was not changed runs %s", name)
	}
	img.Run.Entrypoint, img.Run.Cmd = nil, []string{"/bin/other", "$literal"}
	name, e, ok := img.JailConfig().Default()
	if !ok || name != OCIEntryPoint || e.Exec != "/bin/other" || len(e.Args) != 1 || e.Args[0] != "$$literal" {
		t.Errorf("a changed image runs %s: %+v", name, e)
	}
	if _, ok := img.JailConfig().EntryPoints["main"]; !ok {
		t.Error("the other entry points are gone")
	}
}

func TestConvertForeign(t *testing.T) {
	img, err := ParseConfig(golden(t, "docker.json"))
	if err != nil {
		t.Fatal(err)
	}
	j := img.JailConfig()
	name, e, ok := j.Default()
	if !ok || name != OCIEntryPoint || !j.Linux || j.SysVMsg != SysVNew {
		t.Errorf("%s %v %+v", name, ok, j)
	}
	want := Exec{
		Exec: "docker-entrypoint.sh", DefaultArgs: []string{"redis-server", "--port", "$$PORT"}, WorkDir: "/data", User: "redis", Group: "redis",
		Environ: map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PRICE": "$$5 & up", "EMPTY": ""},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	if len(j.Ports) != 2 || j.Mounts["/data"].Destination != "/data" || len(j.Envs) != 3 {
		t.Errorf("got %+v", j)
	}
	// Said in Docker's words again it is what it was.
	r := j.RunConfig()
	for _, c := range []struct{ got, want []string }{
		{r.Entrypoint, img.Run.Entrypoint}, {r.Cmd, img.Run.Cmd}, {r.Volumes, img.Run.Volumes}, {r.ExposedPorts, img.Run.ExposedPorts},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Error(diff)
		}
	}
	for os, linux := range map[string]bool{"FreeBSD": false, "freebsd": false, "linux": true, "": true} {
		img.Platform.OS = os
		if got := img.JailConfig().Linux; got != linux {
			t.Errorf("os %q: linux is %v", os, got)
		}
	}
	if _, _, ok := (JailImage{}).JailConfig().Default(); ok {
		t.Error("an image without a command has an entry point")
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(golden(f, "docker.json"))
	f.Add(golden(f, "xc.json"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		img, err := ParseConfig(raw)
		if err != nil {
			return
		}
		out, err := img.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseConfig(out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, out)
		}
		twice, err := again.Marshal()
		if err != nil || string(twice) != string(out) {
			t.Errorf("written twice: %v\n%s\n%s", err, out, twice)
		}
		img.SetJail(img.JailConfig())
		_ = img.Effective()
	})
}

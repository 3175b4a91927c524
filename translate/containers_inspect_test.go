package translate

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

// recorded is one container that dockerd 28.5.2 made: what it was asked for, over which version, and how it showed it.
type recorded struct {
	Version  string
	Name     string
	Request  json.RawMessage
	Warnings []string
	Inspect  json.RawMessage
}

var oracle = Host{
	OSType: "linux", Arch: "amd64", Version: "28.5.2", CgroupVersion: "1", NCPU: 2, Runtime: "runc", LogDriver: "json-file",
	ContainersDir: "/var/lib/docker/containers", NetnsDir: "/run/docker/netns",
}

// TestInspectEqualsDockerd sends recorded requests through Create and Inspect and compares key by key with what dockerd
// showed, null and empty told apart.
func TestInspectEqualsDockerd(t *testing.T) {
	files, err := filepath.Glob("testdata/dockerd-28.5.2/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("recorded answers: %d, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			rec := readJSON[recorded](t, file)
			var body container.CreateRequest
			if err := json.Unmarshal(rec.Request, &body); err != nil {
				t.Fatal(err)
			}
			v, err := ParseVersion(rec.Version)
			if err != nil {
				t.Fatal(err)
			}
			req, warnings, err := Create(body, CreateQuery{Name: rec.Name, Version: v}, oracle)
			if err != nil {
				t.Fatal(err)
			}
			if got := Created(engine.CreateResult{}, warnings).Warnings; !slices.Equal(got, rec.Warnings) {
				t.Errorf("warnings %q, dockerd has %q", got, rec.Warnings)
			}
			want := decode(t, rec.Inspect)
			got := decode(t, encode(t, Inspect(asMade(t, req, want), nil, v, oracle)))
			if diff := cmp.Diff(settled(want), settled(got)); diff != "" {
				t.Error("-dockerd +ours\n" + diff)
			}
		})
	}
}

// asMade plays the engine: it merges the image and fills what a new container gets, with the identifiers that dockerd chose.
func asMade(t *testing.T, req engine.CreateRequest, want map[string]any) engine.Container {
	t.Helper()
	created, err := time.Parse(time.RFC3339Nano, want["Created"].(string))
	if err != nil {
		t.Fatal(err)
	}
	s := req.Spec
	if s.Process.Entrypoint == nil && len(s.Process.Cmd) == 0 {
		s.Process.Cmd = []string{"/bin/sh"}
	}
	if slices.Equal(s.Process.Entrypoint, []string{""}) {
		s.Process.Entrypoint = nil
	}
	s.Process.Env = append(slices.Clone(s.Process.Env), "PATH=/bin")
	config := want["Config"].(map[string]any)
	if s.Hostname == "" {
		s.Hostname = config["Hostname"].(string)
	}
	if s.Log.Driver == "" {
		s.Log.Driver = "json-file"
	}
	c := engine.Container{
		ID: engine.ContainerID(want["Id"].(string)), Name: req.Name, Created: created, Spec: s, Driver: "overlay2",
		Image: engine.ImageID(want["Image"].(string)), Platform: engine.Platform{OS: "linux"},
		Status: engine.Status{State: engine.StateCreated}, Endpoints: map[string]engine.Endpoint{},
	}
	if strings.HasPrefix(string(s.Network.Mode), "container:") {
		c.Spec.Network.Mode = engine.NetworkMode(want["HostConfig"].(map[string]any)["NetworkMode"].(string))
		return c
	}
	for name, e := range req.Endpoints {
		c.Endpoints[name] = engine.Endpoint{Spec: e}
	}
	if len(req.Endpoints) == 0 {
		c.Endpoints[string(s.Network.Mode)] = engine.Endpoint{}
	}
	return c
}

// settled takes out what is not of the translation: the storage driver's directories and the mounts, which the engine
// resolves and TestMountPoints compares; and writes ports in one way.
func settled(m map[string]any) map[string]any {
	delete(m, "Mounts")
	m["GraphDriver"].(map[string]any)["Data"] = map[string]any{"ID": m["Id"]}
	for _, where := range []string{"HostConfig/PortBindings", "Config/ExposedPorts"} {
		section, key, _ := strings.Cut(where, "/")
		ports, _ := m[section].(map[string]any)[key].(map[string]any)
		for p, v := range ports {
			if !strings.Contains(p, "/") {
				delete(ports, p)
				ports[p+"/tcp"] = v
			}
		}
	}
	return m
}

// TestInspectShape compares with the recorded answers of a container that runs and one that ended: same keys, same nulls.
func TestInspectShape(t *testing.T) {
	for _, name := range []string{"running", "exited"} {
		t.Run(name, func(t *testing.T) {
			want := decode(t, readFile(t, "testdata/dockerd-28.5.2/shape/container-inspect-"+name+".json"))
			want["GraphDriver"].(map[string]any)["Data"] = map[string]any{"ID": want["Id"]}
			c := runningContainer(t)
			if name == "exited" {
				c = ended(c)
			}
			got := decode(t, encode(t, Inspect(c, nil, MaxVersion, oracle)))
			if diff := cmp.Diff(shape(want), shape(got)); diff != "" {
				t.Error("-dockerd +ours\n" + diff)
			}
		})
	}
}

// shape replaces every value by its kind, so that only keys, nulls and emptiness are compared.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = shape(e)
		}
		return out
	case []any:
		if len(v) == 0 {
			return "empty list"
		}
		all := map[string]any{}
		for _, e := range v {
			if m, ok := e.(map[string]any); ok {
				maps.Copy(all, shape(m).(map[string]any))
			}
		}
		return []any{all}
	case nil:
		return nil
	case string:
		return "string"
	case bool:
		return "bool"
	}
	return "number"
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readJSON[T any](t *testing.T, name string) (v T) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, name), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

package logs

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

// The texts were taken from dockerd 28.5.2: at create those of Validate, at start those of Resolve behind "failed to create
// task for container: failed to initialize logging driver: ".
func TestOptionsAreRefusedInDockerdsWords(t *testing.T) {
	type opts = map[string]string
	for _, tc := range []struct {
		driver   string
		opts     opts
		atCreate bool
		want     string
	}{
		{"", opts{"x": "1"}, true, "unknown log opt 'x' for json-file log driver"},
		{"json-file", opts{"x": "1"}, true, "unknown log opt 'x' for json-file log driver"},
		{"local", opts{"x": "1"}, true, "unknown log opt 'x' for log driver local"},
		{"local", opts{"labels": "x"}, true, "unknown log opt 'labels' for log driver local"},
		{"nope", nil, true, `error looking up logging plugin nope: plugin "nope" not found`},
		{"", opts{"mode": "foo"}, true, "logger: logging mode not supported: foo"},
		{"", opts{"mode": "non-blocking", "max-buffer-size": "xx"}, true, "error parsing option max-buffer-size: invalid size: 'xx'"},
		{"", opts{"max-buffer-size": "4m"}, true, "logger: max-buffer-size option is only supported with 'mode=non-blocking'"},
		{"", opts{"cache-disabled": "x"}, true, "invalid value for option cache-disabled: x"},
		{"", opts{"max-size": "abc"}, false, "invalid size: 'abc'"},
		{"", opts{"max-size": "0"}, false, "max-size must be a positive number"},
		{"", opts{"max-size": "-1"}, false, "invalid size: '-1'"},
		{"", opts{"max-size": "10k", "max-file": "0"}, false, "max-file cannot be less than 1"},
		{"", opts{"max-size": "10k", "max-file": "abc"}, false, `strconv.Atoi: parsing "abc": invalid syntax`},
		{"", opts{"max-file": "3", "compress": "true"}, false, "compress cannot be true when max-file is less than 2 or max-size is not set"},
		{"", opts{"compress": "maybe"}, false, `strconv.ParseBool: parsing "maybe": invalid syntax`},
		{"", opts{"tag": "{{"}, false, "template: log-tag:1: unclosed action"},
		{"", opts{"labels-regex": "("}, false, "error parsing regexp: missing closing ): `(`"},
		{"local", opts{"max-size": "abc"}, false, "invalid value for max-size: abc: invalid size: 'abc'"},
		{"local", opts{"max-file": "1"}, false, "compression cannot be enabled when max file count is 1"},
		{"local", opts{"max-file": "-1"}, false, "max file count cannot be less than 0"},
		{"local", opts{"max-file": "a"}, false, `invalid value for max-file: a: strconv.Atoi: parsing "a": invalid syntax`},
		{"local", opts{"compress": "a"}, false, `error reading compress log option: strconv.ParseBool: parsing "a": invalid syntax`},
	} {
		spec := engine.LogSpec{Driver: tc.driver, Options: tc.opts}
		err := Validate(spec)
		if !tc.atCreate {
			if err != nil {
				t.Errorf("%+v: refused at create: %v", spec, err)
			}
			_, err = Resolve(spec, "/x", Info{})
		}
		var e *engine.Error
		if !errors.As(err, &e) || e.Kind != engine.Invalid || e.Err.Error() != tc.want {
			t.Errorf("%+v: %v", spec, err)
		}
	}
}

func TestResolve(t *testing.T) {
	info := Info{
		ContainerID: "0123456789abcdef0123", ContainerName: "/web", ContainerEntrypoint: "/bin/sh", ContainerArgs: []string{"-c", "true"},
		ContainerImageID: "sha256:aabbccddeeff", ContainerImageName: "bb:1", ContainerCreated: time.Unix(0, 0),
		ContainerEnv: []string{"A=1", "B=2=3", "broken"}, ContainerLabels: map[string]string{"app.name": "x", "app.tier": "y", "other": "z"},
		DaemonName: "docker", HostName: "h",
	}
	type opts = map[string]string
	json := engine.LogFile{Driver: DriverJSON, Path: "/p", MaxFiles: 1}
	attrs := func(m map[string]string) engine.LogFile {
		f := json
		f.Attrs = m
		return f
	}
	for name, tc := range map[string]struct {
		driver string
		opts   opts
		want   engine.LogFile
	}{
		"default":       {"", nil, json},
		"bounds":        {"json-file", opts{"max-size": "10m", "max-file": "3", "compress": "true"}, engine.LogFile{Driver: DriverJSON, Path: "/p", MaxSize: 10_000_000, MaxFiles: 3, Compress: true}},
		"local":         {"local", nil, engine.LogFile{Driver: DriverLocal, Path: "/p", MaxSize: 20 << 20, MaxFiles: 5, Compress: true}},
		"local plain":   {"local", opts{"max-size": "1k", "max-file": "1", "compress": "false"}, engine.LogFile{Driver: DriverLocal, Path: "/p", MaxSize: 1000, MaxFiles: 1}},
		"none":          {"none", opts{"anything": "x"}, engine.LogFile{Driver: DriverNone, MaxFiles: 1}},
		"common":        {"", opts{"mode": "non-blocking", "max-buffer-size": "4m", "cache-disabled": "true"}, json},
		"labels, env":   {"", opts{"labels": "other,absent", "env": "B"}, attrs(map[string]string{"other": "z", "B": "2=3"})},
		"regexes":       {"", opts{"labels-regex": "^app", "env-regex": "^A$"}, attrs(map[string]string{"app.name": "x", "app.tier": "y", "A": "1"})},
		"tag":           {"", opts{"tag": "{{.Name}}/{{.ID}}/{{.ImageName}}/{{.ImageID}}/{{.DaemonName}}/{{.Hostname}}"}, attrs(map[string]string{"tag": "web/0123456789ab/bb:1/sha256:aabbc/docker/h"})},
		"tag, methods":  {"", opts{"tag": "{{.FullID}} {{.ImageFullID}} {{.Command}}"}, attrs(map[string]string{"tag": "0123456789abcdef0123 sha256:aabbccddeeff /bin/sh -c true"})},
		"tag functions": {"", opts{"tag": `{{upper .Name}} {{title "a b"}} {{join (split "a,b" ",") "-"}} {{truncate .Name 2}} {{pad "x" 1 1}}{{json .ContainerArgs}}{{lower "Q"}}`}, attrs(map[string]string{"tag": `WEB A B a-b we  x ["-c","true"]q`})},
		"empty tag":     {"", opts{"tag": "{{.LogPath}}"}, json},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(engine.LogSpec{Driver: tc.driver, Options: tc.opts}, "/p", info)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDriversValidate(t *testing.T) {
	for _, d := range Drivers() {
		if err := Validate(engine.LogSpec{Driver: d}); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
}

package logs

import (
	"errors"
	"strings"
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
		{"syslog", opts{"x": "1"}, true, "unknown log opt 'x' for syslog log driver"},
		{"syslog", opts{"max-size": "1m"}, true, "unknown log opt 'max-size' for syslog log driver"},
		{"syslog", opts{"syslog-format": "y"}, true, "Invalid syslog format"},
		{"syslog", opts{"syslog-facility": "y"}, true, "invalid syslog facility"},
		{"syslog", opts{"syslog-facility": "24"}, true, "invalid syslog facility"},
		{"syslog", opts{"syslog-address": "foo"}, true, "unsupported scheme: ''"},
		{"syslog", opts{"syslog-address": "foo://x"}, true, "unsupported scheme: 'foo'"},
		{"syslog", opts{"syslog-address": "unix:///nope"}, true, "stat /nope: no such file or directory"},
		{"syslog", opts{"tag": "{{"}, false, "template: log-tag:1: unclosed action"},
		{"syslog", opts{"cache-max-size": "abc"}, false, "invalid value for max-size: abc: invalid size: 'abc'"},
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

// Where messages go and what is kept. The ports, facilities and tags that options leave out are dockerd's.
func TestSyslogOptions(t *testing.T) {
	type opts = map[string]string
	info := Info{ContainerID: "0123456789abcdef", HostName: "box", ContainerLabels: opts{"l": "v"}}
	file := engine.LogFile{Driver: DriverSyslog, Path: "/p", MaxSize: 20 << 20, MaxFiles: 5, Compress: true}
	for _, tc := range []struct {
		opts opts
		want engine.Syslog
		file engine.LogFile
	}{
		{nil, engine.Syslog{Facility: 3, Tag: "0123456789ab"}, file},
		{
			opts{"syslog-address": "udp://127.0.0.1", "syslog-facility": "local7", "syslog-format": "rfc5424", "tag": "{{.Hostname}}", "labels": "l"},
			engine.Syslog{Network: "udp", Address: "127.0.0.1:514", Facility: 23, Format: "rfc5424", Tag: "box"},
			engine.LogFile{Driver: DriverSyslog, Path: "/p", MaxSize: 20 << 20, MaxFiles: 5, Compress: true, Attrs: opts{"l": "v", "tag": "box"}},
		},
		{
			opts{"syslog-address": "tcp://[::1]:99", "syslog-facility": "0", "tag": "x", "cache-disabled": "true"},
			engine.Syslog{Network: "tcp", Address: "[::1]:99", Tag: "x"},
			engine.LogFile{Driver: DriverSyslog, MaxSize: 20 << 20, MaxFiles: 5, Compress: true, Attrs: opts{"tag": "x"}},
		},
		{
			opts{"syslog-address": "unixgram:///", "mode": "non-blocking", "max-buffer-size": "4k", "cache-max-size": "1k", "cache-max-file": "2", "cache-compress": "false"},
			engine.Syslog{Network: "unixgram", Address: "/", Facility: 3, Tag: "0123456789ab", Buffer: 4096},
			engine.LogFile{Driver: DriverSyslog, Path: "/p", MaxSize: 1000, MaxFiles: 2},
		},
		{opts{"mode": "non-blocking"}, engine.Syslog{Facility: 3, Tag: "0123456789ab", Buffer: 1_000_000}, file},
	} {
		tc.want.Hostname = "box"
		tc.file.Syslog = &tc.want
		got, err := Resolve(engine.LogSpec{Driver: DriverSyslog, Options: tc.opts}, "/p", info)
		if err != nil {
			t.Errorf("%v: %v", tc.opts, err)
		}
		if diff := cmp.Diff(tc.file, got); diff != "" {
			t.Errorf("%v: -want +got\n%s", tc.opts, diff)
		}
	}
	for driver, want := range map[string]string{
		"journald": `logging driver "journald" is not supported: use json-file, local, syslog or none`,
		"gelf":     `logging driver "gelf" is not supported: use json-file, local, syslog or none`,
	} {
		if err := Validate(engine.LogSpec{Driver: driver}); err == nil || errors.Unwrap(err).Error() != want {
			t.Errorf("%s: %v", driver, err)
		}
	}
	tls := engine.LogSpec{Driver: DriverSyslog, Options: opts{"syslog-address": "tcp+tls://h"}}
	if err := Validate(tls); err == nil || !strings.Contains(err.Error(), "TLS is not supported") {
		t.Errorf("TLS: %v", err)
	}
	if _, err := Open(engine.LogFile{Driver: DriverSyslog}, engine.LogQuery{Stdout: true}, nil); !engine.HasReason(err, engine.ReasonLogUnreadable) {
		t.Errorf("a log that is not kept is read: %v", err)
	}
}

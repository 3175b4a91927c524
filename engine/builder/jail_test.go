package builder

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/imageformat"
)

// TestDirectives applies every directive that changes an image's configuration to one that has something already.
func TestDirectives(t *testing.T) {
	before := func() imageformat.JailConfig {
		return imageformat.JailConfig{
			Allow: []string{"chflags"}, EntryPoints: map[string]imageformat.Exec{"main": {Exec: "/old", Environ: map[string]string{"OLD": "1"}, DefaultArgs: []string{"x"}}},
			Init: []imageformat.Exec{{Exec: "/i"}}, Deinit: []imageformat.Exec{{Exec: "/d"}},
		}
	}
	value := "the value"
	for text, change := range map[string]func(*imageformat.JailConfig){
		"ADDENV K": func(j *imageformat.JailConfig) { j.Envs = map[string]imageformat.EnvSpec{"K": {}} },
		"ADDENV --require -d \"what it is\" K": func(j *imageformat.JailConfig) {
			j.Envs = map[string]imageformat.EnvSpec{"K": {Required: true, Description: "what it is"}}
		},
		"ADDENV \"K=the value\"": func(j *imageformat.JailConfig) { j.Envs = map[string]imageformat.EnvSpec{"K": {DefaultValue: &value}} },
		"VOLUME /data": func(j *imageformat.JailConfig) {
			j.Mounts = map[string]imageformat.MountSpec{"/data": {Destination: "/data"}}
		},
		"VOLUME --hint zfs.recordsize=16k --hint a=b --required --ro -d text /data db": func(j *imageformat.JailConfig) {
			j.Mounts = map[string]imageformat.MountSpec{"db": {
				Destination: "/data", Required: true, ReadOnly: true, Description: "text", VolumeHints: map[string]string{"zfs.recordsize": "16k", "a": "b"},
			}}
		},
		"WORKDIR /w": func(j *imageformat.JailConfig) {
			e := j.EntryPoints["main"]
			e.WorkDir = "/w"
			j.EntryPoints["main"] = e
		},
		"WORKDIR[entry_point:other] /w":   func(j *imageformat.JailConfig) { j.EntryPoints["other"] = imageformat.Exec{WorkDir: "/w"} },
		"WORKDIR[entry_point:other ] /w":  func(j *imageformat.JailConfig) { j.EntryPoints["other"] = imageformat.Exec{WorkDir: "/w"} },
		"WORKDIR [entry_point:other ] /w": nil, // brackets after a blank are words
		"ENTRYPOINT A=1 B=2 /bin/p -x \"y z\"": func(j *imageformat.JailConfig) {
			e := j.EntryPoints["main"]
			e.Exec, e.Args, e.Environ = "/bin/p", []string{"-x", "y z"}, map[string]string{"OLD": "1", "A": "1", "B": "2"}
			j.EntryPoints["main"] = e
		},
		"ENTRYPOINT[entry_point:other] /bin/p": func(j *imageformat.JailConfig) {
			j.EntryPoints["other"] = imageformat.Exec{Exec: "/bin/p", Args: []string{}}
		},
		"CMD a 'b c'": func(j *imageformat.JailConfig) {
			e := j.EntryPoints["main"]
			e.DefaultArgs = []string{"a", "b c"}
			j.EntryPoints["main"] = e
		},
		"ALLOW raw_sockets allow.mlock": func(j *imageformat.JailConfig) { j.Allow = []string{"chflags", "raw_sockets", "mlock"} },
		"ALLOW -chflags":                func(j *imageformat.JailConfig) { j.Allow = []string{} },
		"ALLOW[replace:true] mlock":     func(j *imageformat.JailConfig) { j.Allow = []string{"mlock"} },
		"SYSVIPC shm -msg sem": func(j *imageformat.JailConfig) {
			j.SysVShm, j.SysVMsg, j.SysVSem = imageformat.SysVNew, imageformat.SysVDisable, imageformat.SysVNew
		},
		"MOUNT procfs /proc": func(j *imageformat.JailConfig) {
			j.SpecialMounts = []imageformat.SpecialMount{{MountType: "procfs", MountPoint: "/proc"}}
		},
		"DEVICE path bpf* unhide": func(j *imageformat.JailConfig) { j.DevfsRules = []string{"path bpf* unhide"} },
		"NOINIT":                  func(j *imageformat.JailConfig) { j.Init = nil },
		"NODEINIT":                func(j *imageformat.JailConfig) { j.Deinit = nil },
		"ADDENV":                  nil, "VOLUME data": nil, "VOLUME --hint x /d": nil, "WORKDIR": nil, "ENTRYPOINT A=1": nil, "MOUNT procfs": nil, "DEVICE": nil,
		"ENV A=1": nil, "LABEL a=b": nil, "USER x": nil, "EXPOSE 1": nil, "ADD a /": nil, "ARG X": nil, "SHELL x": nil, "STOPSIGNAL 9": nil, "ONBUILD x": nil,
	} {
		got, want := before(), before()
		err := direct(text, &got)
		switch {
		case change == nil:
			if err == nil {
				t.Errorf("%s is accepted", text)
			} else if !strings.Contains(err.Error(), "line 2, column 1") {
				t.Errorf("%s: %v does not tell where", text, err)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", text, err)
			continue
		}
		change(&want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// direct applies one directive. As in a build, its first refusal is that of the recipe's reading.
func direct(text string, j *imageformat.JailConfig) error {
	f, err := parseJailfile(strings.NewReader("FROM a\n" + text + "\n"))
	if err != nil {
		return err
	}
	return f.Stages[0].Commands[0].Command.(*jailCommand).edit(j)
}

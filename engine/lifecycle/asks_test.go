package lifecycle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// xcImage is an image with xc's own part, whose Docker part says the same.
func xcImage() engine.Image {
	port := "80"
	j := imageformat.JailConfig{
		VNET: true, SecureLevel: 2, Allow: []string{"raw_sockets", "mount"}, DevfsRules: []string{"path tap${N} unhide", "path bpf unhide"}, SysVShm: imageformat.SysVInherit,
		SysVMsg: imageformat.SysVDisable, OSRelease: "13.0-RELEASE",
		Envs: map[string]imageformat.EnvSpec{"PORT": {DefaultValue: &port}, "TOKEN": {Required: true, Description: "the password"}, "N": {Required: true}},
		EntryPoints: map[string]imageformat.Exec{
			"main":  {Exec: "echo", Args: []string{"--port=$PORT"}, DefaultArgs: []string{"$TOKEN"}, Environ: map[string]string{"URL": "http://$PORT"}, WorkDir: "/srv", User: "www"},
			"shell": {Exec: "env", RequiredEnvs: []string{"KEY"}},
		},
		Init:          []imageformat.Exec{{Exec: "echo", Args: []string{"init $PORT"}}},
		Deinit:        []imageformat.Exec{{Exec: "echo", Args: []string{"deinit"}, User: "nobody"}},
		Mounts:        map[string]imageformat.MountSpec{"data": {Destination: "/data", Required: true, Description: "the files"}, "conf": {Destination: "/conf", ReadOnly: true}},
		Datasets:      map[string]imageformat.DatasetSpec{"DB": {Required: true, RequiredProps: map[string]string{"compression": "lz4"}}},
		SpecialMounts: []imageformat.SpecialMount{{MountPoint: "/proc", MountType: "procfs"}},
	}
	run := j.RunConfig()
	return engine.Image{
		ID: "sha256:xc", Platform: engine.Platform{OS: "linux", Architecture: "amd64"}, Jail: &j, TreeExit: true,
		Config: engine.ImageConfig{
			Process:     engine.ProcessSpec{Entrypoint: run.Entrypoint, Cmd: run.Cmd, Env: run.Env, WorkDir: run.WorkingDir, User: run.User},
			VolumePaths: run.Volumes, Labels: map[string]string{"xc.jail.allow.settime": "true", "xc.dns": "empty"},
		},
	}
}

// satisfied is all that the image needs.
func satisfied(s *engine.Spec) {
	s.ImageRef = "xc"
	s.Process.Env = []string{"TOKEN=secret", "N=4"}
	s.Mounts = []engine.MountSpec{{Kind: engine.MountVolume, Source: "files", Target: "/data"}}
	s.Labels = map[string]string{
		"xc.devfs.a": "tap4", "xc.devfs.b": "add path bpf unhide", "xc.jail.allow.mount": "true", "xc.jail.sysvshm": "new", "xc.dataset": "DB:tank/db",
	}
}

func TestAnImageSaysHowItIsRun(t *testing.T) {
	w := newWorld(t)
	w.host.Jail()
	yes := true
	for name, tc := range map[string]struct {
		edit func(*engine.Spec)
		args []string
		want engine.ProcessSpec
	}{
		"default entry point": {nil, nil, engine.ProcessSpec{
			Entrypoint: []string{"echo", "--port=80"}, Cmd: []string{"secret"}, WorkDir: "/srv", User: "www", Env: []string{"N=4", "PORT=80", "TOKEN=secret", "URL=http://80"},
		}},
		"user's arguments and values": {func(s *engine.Spec) { s.Process.Env = append(s.Process.Env, "PORT=81"); s.Process.User = "me" }, []string{"a", "$TOKEN"}, engine.ProcessSpec{
			Entrypoint: []string{"echo", "--port=81"}, Cmd: []string{"a", "$TOKEN"}, WorkDir: "/srv", User: "me", Env: []string{"N=4", "PORT=81", "TOKEN=secret", "URL=http://81"},
		}},
		"another entry point": {func(s *engine.Spec) {
			s.Labels["xc.entrypoint"] = "shell"
			s.Process.Env = append(s.Process.Env, "KEY=k")
		}, nil, engine.ProcessSpec{
			Entrypoint: []string{"env"}, Env: []string{"KEY=k", "N=4", "PORT=80", "TOKEN=secret"},
		}},
		"another program": {func(s *engine.Spec) { s.Process.Entrypoint = []string{"true"} }, []string{"x"}, engine.ProcessSpec{
			Entrypoint: []string{"true"}, Cmd: []string{"x"}, WorkDir: "/srv", User: "www", Env: []string{"TOKEN=secret", "N=4", "PORT=80", "URL=http://80"},
		}},
	} {
		id := w.create("", func(s *engine.Spec) {
			satisfied(s)
			if s.Process.Cmd = tc.args; tc.edit != nil {
				tc.edit(s)
			}
		})
		c := w.inspect(string(id))
		if diff := cmp.Diff(tc.want, c.Spec.Process, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		steps := [][]engine.Step{c.Spec.Before, c.Spec.After}
		env := []string{"N=4", "PORT=80", "TOKEN=secret"}
		if name == "default entry point" {
			want := [][]engine.Step{
				{{Process: engine.ProcessSpec{Cmd: []string{"echo", "init 80"}, Env: env}, Timeout: 2 * time.Minute}},
				{{Process: engine.ProcessSpec{Cmd: []string{"echo", "deinit"}, Env: env, User: "nobody"}, Timeout: 15 * time.Second}},
			}
			if diff := cmp.Diff(want, steps); diff != "" {
				t.Error(diff)
			}
		}
		jail := engine.JailSpec{
			VNET: &yes, DevfsRules: []string{"tap4", "add path bpf unhide"}, Mounts: []engine.SpecialMount{{Type: "procfs", Target: "/proc"}},
			Params:   map[string]string{"allow.raw_sockets": "true", "allow.mount": "true", "securelevel": "2", "sysvmsg": "disable", "sysvshm": "new"},
			Datasets: []engine.JailDataset{{Dataset: engine.Dataset{Env: "DB", Name: "tank/db"}, Props: map[string]string{"compression": "lz4"}}},
		}
		if diff := cmp.Diff(jail, c.Spec.Jail); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if !c.Spec.TreeExit || c.Spec.Network.DNSFrom != engine.DNSNone || c.Spec.Labels["xc.jail.allow.settime"] != "" {
			t.Errorf("%s: tree %v, dns %q, labels %v", name, c.Spec.TreeExit, c.Spec.Network.DNSFrom, c.Spec.Labels)
		}
		for _, p := range c.Mounts {
			if want := p.Target == "/conf"; p.ReadOnly != want || p.Anonymous != want {
				t.Errorf("%s: mount %+v", name, p)
			}
		}
	}
}

func TestKeysChangeWhatAnImageAsks(t *testing.T) {
	w := newWorld(t)
	w.host.Jail()
	id := w.create("", func(s *engine.Spec) {
		satisfied(s)
		s.Mounts = nil
		s.Labels["xc.tree"], s.Labels["xc.no-init"], s.Labels["xc.no-deinit"], s.Labels["xc.vnet"] = "false", "", "true", "false"
		s.Labels["xc.persist"], s.Labels["xc.dns"], s.Labels["xc.volume.data"], s.Labels["xc.volume.conf"] = "1", "host", "/:ro", "settings"
		s.Labels["xc.jail.securelevel"] = "1"
	})
	c := w.inspect(string(id))
	s := c.Spec
	if s.TreeExit || !s.Persist || s.Before != nil || s.After != nil || *s.Jail.VNET || s.Network.DNSFrom != engine.DNSHost || s.Jail.Params["securelevel"] != "1" {
		t.Errorf("%+v", s)
	}
	var got []string
	for _, p := range c.Mounts {
		got = append(got, strings.Join([]string{string(p.Kind), p.Name + p.Source, p.Target}, " "))
		if !p.ReadOnly {
			t.Errorf("%s can be written", p.Target)
		}
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "volume settings") || got[1] != "bind / /data" {
		t.Errorf("mounts %q", got)
	}
	bare := w.create("", func(s *engine.Spec) {
		s.ImageRef, s.Bare, s.Process = "xc", true, engine.ProcessSpec{Entrypoint: []string{""}, Cmd: []string{"true"}}
	})
	if s := w.inspect(string(bare)).Spec; s.TreeExit || s.Before != nil || s.Jail.Params["securelevel"] != "" {
		t.Errorf("a build's step: %+v", s)
	}
}

// Everything that is wrong is told at once, and nothing is made.
func TestEveryProblemIsTold(t *testing.T) {
	w := newWorld(t)
	w.host.Jail()
	broken := func(s *engine.Spec) {
		s.ImageRef, s.Process.WorkDir, s.AutoRemove, s.Restart.Name = "xc", "srv", true, engine.RestartAlways
		s.Labels = map[string]string{"xc.vnte": "1", "xc.volume.nosuch": "v", "xc.volume.conf": "v:rx", "xc.devfs.b": "bpf"}
		s.Mounts = []engine.MountSpec{{Kind: engine.MountBind, Source: "/no/such/place", Target: "/x"}}
		s.Resources.Memory = 1 << 41
	}
	spec := engine.Spec{}
	broken(&spec)
	_, err := w.daemon.Create(context.Background(), engine.CreateRequest{Spec: spec})
	wantKind(t, err, engine.Invalid, "")
	for _, want := range []string{
		"is xc.vnet meant?", "variable TOKEN, the password: give it with --env TOKEN=VALUE", "variable N: give", "xc.volume.nosuch: the image has no mount of this name, it has conf, data",
		"must be ro or rw", "jail parameter allow.mount=true: allow it with --label 'xc.jail.allow.mount=true'", "'xc.jail.sysvshm=inherit'",
		`rule for devices "path tap${N} unhide": variable N is not set`, "a ZFS dataset DB (compression=lz4): give it with --label xc.dataset=DB:POOL/DATASET",
		"it needs to be an absolute path", "can't create 'AutoRemove'", "/no/such/place", "more memory than there is",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
	if diff := cmp.Diff([]string{"xc.jail.allow.mount=true", "xc.jail.sysvshm=inherit"}, engine.Consents(err)); diff != "" {
		t.Error(diff)
	}
	_, err = w.daemon.Create(context.Background(), engine.CreateRequest{Spec: engine.Spec{ImageRef: "xc", Process: engine.ProcessSpec{Env: []string{"TOKEN=x", "N=2"}}}})
	for _, want := range []string{"a volume at /data (the files): give it with -v VOLUME:/data or --label xc.volume.data=VOLUME", `--label 'xc.devfs.image-1=path tap2 unhide'`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
	w.wantClean(0)
	for name, edit := range map[string]func(*engine.Spec){
		"no entry point of this name, it has main, shell": func(s *engine.Spec) { s.Labels["xc.entrypoint"] = "x" },
		"--entrypoint says another program":               func(s *engine.Spec) { s.Labels["xc.entrypoint"], s.Process.Entrypoint = "shell", []string{"x"} },
		"variable KEY: give it":                           func(s *engine.Spec) { s.Labels["xc.entrypoint"] = "shell" },
	} {
		spec := engine.Spec{}
		satisfied(&spec)
		edit(&spec)
		_, err := w.daemon.Create(context.Background(), engine.CreateRequest{Spec: spec})
		if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A platform without jails refuses what its user says of them, and warns of what images say.
func TestWithoutJails(t *testing.T) {
	w := newWorld(t)
	spec := engine.Spec{ImageRef: "box", Labels: map[string]string{}}
	for _, k := range engine.Keys() {
		if k.Jails != "" && k.Name != engine.AnnotationJail {
			spec.Labels[strings.TrimSuffix(k.Name, ".")+map[bool]string{true: ".a"}[k.Family()]] = map[string]string{
				engine.LabelMaxChildren: "1", engine.LabelDataset: "a/b", engine.LabelVNET: "false", engine.LabelDevfs: "path x",
			}[k.Name]
		}
	}
	_, err := w.daemon.Create(context.Background(), engine.CreateRequest{Spec: spec})
	for _, k := range engine.Keys() {
		if told := err != nil && strings.Contains(err.Error(), "label "+k.Name+": not on this platform: "+k.Jails); told != (k.Jails != "" && k.Name != engine.AnnotationJail) {
			t.Errorf("%s: told %v", k.Name, told)
		}
	}
	res, err := w.daemon.Create(context.Background(), engine.CreateRequest{Spec: engine.Spec{
		ImageRef: "box", Labels: map[string]string{"xc.vnet": "true"}, Annotations: map[string]string{"org.freebsd.jail.allow.mlock": "true"},
	}})
	if err != nil || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "org.freebsd.jail.* have no effect") {
		t.Errorf("%v %v", res, err)
	}
	spec = engine.Spec{}
	satisfied(&spec)
	spec.Labels = nil
	res, err = w.daemon.Create(context.Background(), engine.CreateRequest{Spec: spec})
	if err != nil || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "allow.raw_sockets, allow.mount; rules for devices; a secure level; ZFS datasets") {
		t.Errorf("%v %v", res, err)
	}
}

// fakeLayers have one file each, named by the layer.
type fakeLayers struct{}

func (fakeLayers) Diff(_ context.Context, id engine.LayerID) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(tarred(string(id), "layer"))), nil
}

func tarred(name, content string) []byte {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))})
	if err == nil {
		_, err = t.Write([]byte(content))
	}
	if err = errors.Join(err, t.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestRootsAreFilled(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	put := func(name string, b []byte, mode os.FileMode) string {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file, b, 0o600), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(tarred("etc/zipped", "z")); err != nil {
		t.Fatal(err)
	}
	z.Close()
	plain, gz := put("plain.tar", tarred("etc/plain", "p"), 0o600), put("layer.tgz", zipped.Bytes(), 0o600)
	secret := put("a:b", []byte("content"), os.ModeSetuid|0o750)
	id := w.create("web", func(s *engine.Spec) {
		s.Labels = map[string]string{
			"xc.extra-layer.1": plain, "xc.extra-layer.2": "box", "xc.extra-layer.10": gz, "xc.copy": strings.ReplaceAll(secret, ":", `\:`) + ":/srv/x/../file",
		}
	}, "true")
	want := []string{"etc/plain -rw-r--r-- p", string(digest.FromString("box")) + " -rw-r--r-- layer", "etc/zipped -rw-r--r-- z", "srv/file -rwxr-x--- content"}
	if diff := cmp.Diff(want, w.host.Filled(id)); diff != "" {
		t.Error(diff)
	}
	w.start("web") // it is made once
	if got := w.host.Filled(id); len(got) != len(want) {
		t.Errorf("filled again: %q", got)
	}
	broken := put("broken.tar", []byte(strings.Repeat("no tar", 200)), 0o600)
	for name, labels := range map[string]map[string]string{
		"there is no such image here: pull it first": {"xc.extra-layer": "nosuch", "xc.copy": dir + "/nosuch:/x", "xc.extra-layer.2": dir},
		"there is no such file on the host":          {"xc.copy": dir + "/nosuch:/x", "xc.extra-layer.2": dir},
		"it is not a regular file":                   {"xc.extra-layer.2": dir},
		"xc.extra-layer=" + broken:                   {"xc.extra-layer": broken},
	} {
		_, err := w.daemon.Create(context.Background(), engine.CreateRequest{Spec: engine.Spec{ImageRef: "box", Labels: labels}})
		if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := w.daemon.List(context.Background(), engine.ContainerQuery{All: true}); err != nil || len(list) != 1 {
		t.Errorf("%d containers, %v", len(list), err)
	}
}

// Either side's end ends the other.
func TestLink(t *testing.T) { synctest.Test(t, testLink) }

func testLink(t *testing.T) {
	w := newWorld(t)
	w.create("ends", func(s *engine.Spec) { s.Restart.Name = engine.RestartAlways }, "stubborn")
	w.start("ends")
	ctx, leave := context.WithCancel(context.Background())
	type answer struct {
		engine.WaitResult
		err error
	}
	linked := make(chan answer, 1)
	link := func(ref string) {
		go func() {
			res, err := w.daemon.Link(ctx, ref)
			linked <- answer{res, err}
		}()
		synctest.Wait()
	}
	link("ends")
	leave()
	if a := <-linked; !errors.Is(a.err, context.Canceled) {
		t.Errorf("%v", a.err)
	}
	w.wantState("ends", engine.StateExited)
	ctx = context.Background()
	w.create("works", nil, "exit", "3")
	if _, err := w.daemon.Link(ctx, "works"); !engine.HasReason(err, engine.ReasonNotRunning) {
		t.Errorf("of a container that does not run: %v", err)
	}
	w.create("sleeps", nil, "sleep", "1000")
	w.start("sleeps")
	link("sleeps")
	if err := w.daemon.Kill(ctx, "sleeps", "TERM"); err != nil {
		t.Fatal(err)
	}
	if a := <-linked; a.err != nil || a.ExitCode != 143 {
		t.Errorf("%+v", a)
	}
}

// What a run made stays to be looked at, and goes with the next start or the container.
func TestNoClean(t *testing.T) {
	w := newWorld(t)
	id := w.create("kept", func(s *engine.Spec) { s.Labels = map[string]string{"xc.no-clean": ""} }, "true")
	for range 2 {
		w.start("kept")
		ended, err := w.daemon.Wait(context.Background(), "kept", engine.WaitNotRunning)
		if err != nil {
			t.Fatal(err)
		}
		<-ended
		left := strings.Join(w.host.Leftovers(), "\n")
		if !strings.Contains(left, "sandbox "+id.Short()) || !strings.Contains(left, "mount "+id.Short()) {
			t.Errorf("left: %s", left)
		}
	}
	w.boot()
	if left := strings.Join(w.host.Leftovers(), "\n"); !strings.Contains(left, "sandbox "+id.Short()) {
		t.Errorf("after the daemon's restart: %s", left)
	}
	if err := w.daemon.Remove(context.Background(), "kept", engine.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	w.wantClean(0)
	_, err := w.daemon.Create(context.Background(), engine.CreateRequest{Spec: engine.Spec{ImageRef: "box", AutoRemove: true, Labels: map[string]string{"xc.no-clean": ""}}})
	if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), "--rm removes what is to be kept") {
		t.Errorf("%v", err)
	}
}

// FreeBSD runs Linux images as it runs its own, and says nothing of it. What it cannot know to run here is told.
func TestWarningOfAnotherPlatform(t *testing.T) {
	for host, told := range map[string]bool{"linux/amd64": false, "freebsd/amd64": false, "linux/arm64": true, "freebsd/arm64": true} {
		w := newWorld(t)
		w.platform.OS, w.platform.Architecture, _ = strings.Cut(host, "/")
		w.boot()
		res, err := w.daemon.Create(context.Background(), engine.CreateRequest{Spec: engine.Spec{ImageRef: "box"}})
		if err != nil || strings.Contains(strings.Join(res.Warnings, "\n"), "(linux/amd64) does not match the detected host platform ("+host+")") != told {
			t.Errorf("on %s: %q %v", host, res.Warnings, err)
		}
	}
}

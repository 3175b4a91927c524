package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// rootTar is a root with one file.
func rootTar(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "etc/motd", Typeflag: tar.TypeReg, Mode: 0o644, Size: 5}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "root.tar")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// configOf reads an image's description.
func (b *bed) configOf(ref string) (j wire.JailConfig) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.must("image", "get-config", "-f", "json", ref)), &j); err != nil {
		b.t.Fatal(err)
	}
	return j
}

func TestImageLists(t *testing.T) {
	b := newBed(t)
	b.must("image", "import", rootTar(t), "team/web:1", "-m", "a root")
	b.must("tag", "team/web:1", "web:2")
	if got := b.must("image", "list", "-H", "-c", "image", "team/*"); got != "team/web:1" {
		t.Errorf("%q", got)
	}
	if got := strings.Fields(b.must("images", "--format", "{{join .Tags \",\"}}")); len(got) != 2 {
		t.Errorf("%q", got)
	}
	var all []wire.Image
	if err := json.Unmarshal([]byte(b.must("image", "inspect", "web:2")), &all); err != nil || len(all) != 1 || all[0].Comment != "a root" {
		t.Errorf("%+v, %v", all, err)
	}
	if got := b.must("history", "--no-trunc", "-q", "web:2"); got != all[0].ID {
		t.Errorf("history %q", got)
	}
	b.fails(1, "there is no image wep:2; did you mean web:2?", "image", "show", "wep:2")
	b.fails(2, `there is no column "NAM"`, "image", "list", "-c", "nam")
	b.fails(2, `there is no filter "danglin"; did you mean dangling?`, "image", "list", "-f", "danglin=1")
	if got := b.must("rmi", "web:2"); got != "Untagged: web:2" {
		t.Errorf("%q", got)
	}
	if got := b.must("image", "rm", "-o", "json", "team/web:1"); !strings.Contains(got, `"deleted"`) {
		t.Errorf("%q", got)
	}
}

func TestSaveAndLoad(t *testing.T) {
	b, other := newBed(t), newBed(t)
	b.must("import", rootTar(t), "web:1")
	file := filepath.Join(t.TempDir(), "web.tar")
	b.must("save", "-o", file, "web:1")
	if got := other.must("load", "-i", file); !strings.HasSuffix(got, "Loaded image: web:1") {
		t.Errorf("%q", got)
	}
	if want, got := b.must("images", "-q", "--no-trunc", "web"), other.must("images", "-q", "--no-trunc", "web"); got != want {
		t.Errorf("it is %s there and %s here", got, want)
	}
	b.fails(1, "there is no image none", "save", "none")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if r := other.feed(string(raw[:len(raw)/2]), "load", "-q"); r.code != 1 || r.err == "" {
		t.Errorf("half an archive: %+v", r)
	}
}

func TestPatchedImages(t *testing.T) {
	b := newBed(t)
	b.must("image", "import", rootTar(t), "web:1", "--", "add-env", "--required", "-d", "of the database", "PASSWORD", "--", "mod-allow", "raw_sockets", "mlock")
	b.must("image", "patch", "web:1", "add-exec", "-n", "main", "-e", "A=1", "-e", "B", "-u", "www", "/bin/web", "-x", "--", "default-entry-point", "main", "--",
		"add-volume", "--required", "--hint", "zfs.recordsize=16k", "--name", "data", "/var/db", "--", "mod-allow", "-mlock", "--", "mount-procfs", "--", "mount-procfs",
		"--", "sysv-ipc", "--enable", "shm,-msg", "--", "add-port", "-d", "web", "80/tcp", "--", "add-device", "path", "bpf*", "unhide")
	j := b.configOf("web:1")
	e := j.EntryPoints["main"]
	if !j.Envs["PASSWORD"].Required || j.DefaultEntryPoint != "main" || e.Exec != "/bin/web" || e.DefaultArgs[0] != "-x" || e.Environ["A"] != "1" ||
		e.RequiredEnvs[0] != "B" || e.User != "www" || j.Mounts["data"].VolumeHints["zfs.recordsize"] != "16k" || strings.Join(j.Allow, ",") != "raw_sockets" ||
		len(j.SpecialMounts) != 1 || j.SysVShm != "new" || j.SysVMsg != "disable" || j.Ports["80/tcp"] != "web" || j.DevfsRules[0] != "path bpf* unhide" {
		t.Errorf("%+v", j)
	}
	text := b.must("image", "describe", "web:1")
	for _, want := range []string{"PASSWORD", "of the database", "data", "/var/db", "zfs.recordsize=16k", "main (default)", "80/tcp", "raw_sockets"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	b.fails(2, `there is no change "add-evn"`, "image", "patch", "web:1", "add-evn", "X")
	b.fails(2, "add-exec: the entry point has no name", "image", "patch", "web:1", "add-exec", "/bin/x")
	b.fails(1, `there is no entry point "other"`, "image", "patch", "web:1", "add-env", "NEW", "--", "default-entry-point", "other")
	b.fails(1, `"1X" is not the name of a variable`, "image", "patch", "web:1", "add-env", "1X")
	b.fails(1, "has the mount point /var/db already", "image", "patch", "web:1", "add-volume", "/var/db")
	if _, made := b.configOf("web:1").Envs["NEW"]; made {
		t.Error("of changes that were refused one was made")
	}
}

func TestImageConfigs(t *testing.T) {
	b := newBed(t)
	b.must("image", "import", rootTar(t), "web:1")
	yaml := "envs:\n  A: {required: true, default_value: x}\nentry_points:\n  main: {exec: /bin/a}\n"
	if r := b.feed(yaml, "image", "set-config", "web:1", "-"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	if j := b.configOf("web:1"); !j.Envs["A"].Required || j.EntryPoints["main"].Exec != "/bin/a" {
		t.Errorf("%+v", j)
	}
	whole := b.must("image", "get-config", "web:1")
	if r := b.feed(whole, "image", "set-config", "web:1", "-"); r.code != 0 {
		t.Errorf("what get-config gives: %+v", r)
	}
	for text, want := range map[string]string{
		"entrypoints: {}":                  "there is no key entrypoints; did you mean entry_points?",
		"envs: {A: {requird: true}}":       "there is no key envs.A.requird; did you mean required?",
		"a: [":                             "line 1",
		"- a":                              "there must be keys and values",
		"sysv_shm: maybe":                  `sysv_shm: "maybe" is none of new, inherit and disable`,
		"mounts: {d: {destination: here}}": `mounts: d: destination "here" is not absolute`,
	} {
		if r := b.feed(text, "image", "set-config", "web:1", "-"); r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%s: %+v", text, r)
		}
	}
	file := filepath.Join(t.TempDir(), "web.yaml")
	none := &bed{t, "/none"}
	none.must("template", file)
	b.must("image", "set-config", "web:1", file)
	none.fails(1, "is there already", "template", file)
	if got := none.must("template", "-"); !strings.HasPrefix(got, "{") {
		t.Errorf("%q", got)
	}
}

func TestNetworkCommands(t *testing.T) {
	b := newBed(t)
	b.must("network", "create", "--bridge", "xc0", "--alias", "xc0", "--label", "a=b", "one", "192.168.17.0/24", "192.168.17.10", "192.168.17.20")
	b.must("network", "create", "--subnet", "10.9.0.0/24", "--gateway", "10.9.0.9", "--ip-range", "10.9.0.128/25", "--aux-address", "x=10.9.0.3", "two")
	if got := b.must("network", "list", "-H", "-f", "name,subnet,start,end,driver", "--filter", "type=custom"); strings.Join(strings.Fields(got), " ") !=
		"one 192.168.17.0/24 192.168.17.10 192.168.17.20 xc two 10.9.0.0/24 bridge" {
		t.Errorf("%q", got)
	}
	if got := b.must("network", "show", "--format", "{{(index .Subnets 0).Gateway}} {{(index .Subnets 0).Range}}", "two"); got != "10.9.0.9 10.9.0.128/25" {
		t.Errorf("%q", got)
	}
	b.must("create", "--network", "one", "--name", "web", "box", "true")
	b.must("network", "connect", "two|10.9.0.200", "web")
	if got := b.must("show", "web"); !strings.Contains(got, "(two)") {
		t.Errorf("%s", got)
	}
	b.fails(1, "did you mean two?", "network", "connect", "tow", "web")
	b.fails(1, "container web is in network two already", "network", "connect", "two", "web")
	b.must("network", "tag", "one", "web")
	b.must("network", "tag", "--no-commit", "one", "web")
	b.must("network", "commit-tag", "one")
	if got := b.must("inspect", "--format", `{{index .Labels "xc.net-group"}}`, "web"); got != "one" {
		t.Errorf("%q", got)
	}
	b.must("network", "disconnect", "two", "web")
	b.fails(1, "container web is not in network two", "network", "tag", "two", "web")
	b.fails(2, `"10.9/24" is not a subnet`, "network", "create", "x", "10.9/24")
	b.fails(2, "no subnet of the network has it", "network", "create", "--gateway", "10.8.0.1", "x", "10.9.0.0/24")
	b.fails(1, "is not in 10.7.0.0/24", "network", "create", "--bridge", "xc0", "x", "10.7.0.0/24", "10.8.0.1")
	b.fails(1, "nobody can be asked", "network", "prune")
	b.must("network", "prune", "-f")
	if got := b.must("network", "ls", "-H", "-c", "name", "--filter", "type=custom"); got != "" {
		t.Errorf("%q is left", got)
	}
	b.must("network", "create", "three")
	b.fails(1, "did you mean three?", "network", "rm", "thre")
	if got := b.must("network", "rm", "three"); got != "three" {
		t.Errorf("%q", got)
	}
	b.must("network", "reload")
}

func TestVolumeCommands(t *testing.T) {
	b := newBed(t)
	if got := b.must("volume", "create", "data", "directory"); got != "data" {
		t.Errorf("%q", got)
	}
	b.fails(1, "there is a volume data already", "volume", "create", "data")
	b.fails(1, "the volume driver zfs is not supported here", "volume", "create", "z", "zfs")
	b.fails(1, `there is no volume driver "nfs"`, "volume", "create", "z", "nfs")
	b.fails(1, "no such file", "volume", "create", "-s", "/none/here", "z")
	b.must("image", "import", rootTar(t), "web:1", "--", "add-volume", "--hint", "zfs.recordsize=16k", "--name", "db", "/db")
	b.must("volume", "create", "-i", "web:1", "-v", "db", "hinted")
	if got := b.must("volume", "inspect", "--format", `{{index .Labels "xc.hint.zfs.recordsize"}}`, "hinted"); got != "16k" {
		t.Errorf("%q", got)
	}
	b.fails(1, "declares no mount x", "volume", "create", "-i", "web:1", "-v", "x", "y")
	if got := strings.Fields(b.must("volume", "ls", "-q")); len(got) != 2 {
		t.Errorf("%q", got)
	}
	b.fails(1, "there is no volume dat; did you mean data?", "volume", "rm", "dat")
	b.must("volume", "rm", "-f", "dat")
	b.must("volume", "rm", "data")
	b.must("volume", "prune", "-a", "-f")
	if got := b.must("volume", "ls", "-o", "json"); got != "[]" {
		t.Errorf("%q", got)
	}
}

func TestChannels(t *testing.T) {
	b := newBed(t)
	at := filepath.Join(t.TempDir(), "c")
	b.must("channel", "create", at)
	through := &bed{t, at}
	if got := through.must("channel", "list"); got != at {
		t.Errorf("%q", got)
	}
	b.fails(1, "is a channel already", "channel", "create", at)
	b.fails(1, "must be an absolute path", "channel", "create", "c")
	b.must("channel", "rm", at)
	b.fails(1, "is not a channel", "channel", "rm", "/none")
}

func TestLoginNeedsAPassword(t *testing.T) {
	b := newBed(t)
	b.fails(2, "the user's name is missing", "login", "registry.test")
	b.fails(2, "nobody can be asked for the password", "login", "-u", "ada", "registry.test")
	b.fails(2, "exclude each other", "login", "-u", "ada", "-p", "x", "--password-stdin", "registry.test")
	b.fails(1, "nobody is logged in to registry.test", "logout", "registry.test")
}

func TestBuildCommandLines(t *testing.T) {
	for _, c := range []struct {
		args  []string
		tags  []string
		where string
		wrong string
	}{
		{args: []string{"web:1"}, tags: []string{"web:1"}, where: "."},
		{args: []string{"web:1", "src"}, tags: []string{"web:1"}, where: "src"},
		{args: []string{"."}, where: "."},
		{args: []string{"https://example.test/x.git"}, where: "https://example.test/x.git"},
		{wrong: "the name of the image is missing"},
	} {
		b := building{}
		where, err := b.complete(c.args)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%v: %v", c.args, err)
			}
			continue
		}
		if err != nil || where != c.where || strings.Join(b.Tags, " ") != strings.Join(c.tags, " ") {
			t.Errorf("%v: %q %v, %v", c.args, where, b.Tags, err)
		}
	}
}

func TestBuildWithoutSteps(t *testing.T) {
	b := newBed(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Jailfile": "FROM box:latest\nADDENV --require A\nCOPY file /file\n", ".dockerignore": "secret\n", "file": "x", "secret": "y",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := b.must("build", "web:1", dir)
	if !strings.Contains(got, "Step 1/3 : FROM box:latest") || !strings.Contains(got, "Tagged web:1") {
		t.Errorf("%s", got)
	}
	if !b.configOf("web:1").Envs["A"].Required {
		t.Error("the Jailfile's variable is not there")
	}
	other := filepath.Join(t.TempDir(), "recipe")
	if err := os.WriteFile(other, []byte("FROM box:latest\nLABEL a=b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if id := b.must("build", "-q", "-t", "web:2", "-f", other, dir); !strings.HasPrefix(id, "sha256:") {
		t.Errorf("%q", id)
	}
	if r := b.run("build", "--debug", "-f", "-", dir); r.code != 1 {
		t.Errorf("an empty recipe: %+v", r)
	}
	b.fails(1, "Enter it:", "build", "--debug", "-f", failing(t), dir)
	b.fails(1, "there is neither a Jailfile nor a Dockerfile", "build", "web:3", t.TempDir())
	t.Chdir(t.TempDir())
	files := strings.Fields(b.must("build", "--output-inplace", "ignored", dir))
	if len(files) < 2 || files[len(files)-1] != "jail.json" && files[len(files)-2] != "jail.json" && !strings.Contains(strings.Join(files, " "), "jail.json") {
		t.Errorf("%v", files)
	}
	if got := b.must("images", "-q", "ignored"); got != "" {
		t.Errorf("the image is registered: %s", got)
	}
}

// failing is a recipe whose second step fails.
func failing(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "recipe")
	if err := os.WriteFile(name, []byte("FROM box:latest\nCOPY none /none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

package integration

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// extended loads the test image once more, with xc's own part in its configuration, and without what it says in Docker's words of
// its process: so the original xc wrote images.
func (e *engine) extended(name, extension string) {
	e.t.Helper()
	saved := filepath.Join(e.t.TempDir(), "saved.tar")
	e.must("save", "-o", saved, "testbox")
	files := readTar(e.t, saved)
	var manifests []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	var config map[string]any
	unmarshal(e.t, files["manifest.json"], &manifests)
	unmarshal(e.t, files[manifests[0].Config], &config)
	var part any
	unmarshal(e.t, []byte(extension), &part)
	config["config"] = map[string]any{"xc_extension": part}
	raw, err := json.Marshal(config)
	if err != nil {
		e.t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	manifests[0].Config, manifests[0].RepoTags = hex.EncodeToString(sum[:])+".json", []string{name + ":latest"}
	manifest, err := json.Marshal(manifests)
	if err != nil {
		e.t.Fatal(err)
	}
	made := map[string][]byte{"manifest.json": manifest, manifests[0].Config: raw}
	for _, l := range manifests[0].Layers {
		made[l] = files[l]
	}
	if got := e.must("load", "-i", writeTar(e.t, made)); !strings.Contains(got, name+":latest") {
		e.t.Fatalf("load: %s", got)
	}
}

func unmarshal(t testing.TB, raw []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(raw, to); err != nil {
		t.Fatal(err)
	}
}

func readTar(t testing.TB, name string) map[string][]byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err == nil {
			files[h.Name], err = io.ReadAll(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func writeTar(t testing.TB, files map[string][]byte) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "made.tar")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const service = `{
	"secure_level": 0, "ports": {}, "allow": ["raw_sockets"], "devfs_rules": [], "special_mounts": [],
	"envs": {"PORT": {"required": false, "default_value": "80"}, "TOKEN": {"required": true, "description": "the password"}},
	"entry_points": {
		"main": {"exec": "sh", "args": ["-c", "echo main ${PORT} $TOKEN; id; pwd"], "default_args": [], "environ": {"URL": "http://$PORT"}, "user": "user", "work_dir": "/data"},
		"other": {"exec": "echo", "args": ["other"], "default_args": ["one", "${URL:-none}"], "environ": {"URL": "u$PORT"}, "required_envs": ["KEY"]}
	},
	"default_entry_point": "main",
	"init": [
		{"exec": "sh", "args": ["-c", "echo init $PORT; id; write /data/made by init"], "environ": {"PATH": "/bin"}},
		{"exec": "sh", "args": ["-c", "exit 3"], "environ": {"PATH": "/bin"}}
	],
	"deinit": [{"exec": "sh", "args": ["-c", "echo deinit; cat /data/made"], "environ": {"PATH": "/bin"}, "user": "user"}],
	"mounts": {"state": {"description": "what it keeps", "destination": "/state", "volume_hints": {}, "read_only": false, "required": true}}
}`

func TestImageOfTheOriginal(t *testing.T) {
	e := start(t)
	e.extended("service", service)
	e.fails(125, "the image needs the environment variable TOKEN, the password: give it with --env TOKEN=VALUE", "run", "--rm", "--pull", "never", "service")
	r := e.docker("create", "--pull", "never", "--label", "xc.vnte=1", "--label", "xc.entrypoint=other", "service")
	for _, want := range []string{"is xc.vnet meant?", "the environment variable TOKEN", "the environment variable KEY", "the image needs a volume at /state (what it keeps): give it with -v VOLUME:/state"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("%q is not told: %s", want, r.err)
		}
	}
	if left := e.must("ps", "-aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
	args := func(more ...string) []string {
		return append([]string{"run", "--name", "box", "-e", "TOKEN=x", "-v", "state:/state"}, more...)
	}
	run := func(want string, more ...string) {
		t.Helper()
		if got := e.must(args(more...)...); got != want {
			t.Errorf("run %q: %q, want %q", more, got, want)
		}
		e.must("rm", "-v", "box")
	}
	const root, user = "uid=0 gid=0 groups=0", "uid=1000 gid=1000 groups=10 1000"
	run("init 81\n"+root+"\nmain 81 x\n"+user+"\n/data\ndeinit\nby init", "-e", "PORT=81", "service")
	run("main 80 x\n"+user+"\n/data", "--label", "xc.no-init", "--label", "xc.no-deinit", "service")
	run("other one u80", "-e", "KEY=k", "--label", "xc.no-init", "--label", "xc.no-deinit", "--label", "xc.entrypoint=other", "service")
	run("other a b", "-e", "KEY=k", "--label", "xc.no-init", "--label", "xc.no-deinit", "--label", "xc.entrypoint=other", "service", "a", "b")
	r = e.docker(args("service")...)
	if !strings.Contains(r.err, "docker-init: sh ended with exit code 3") {
		t.Errorf("an init that fails is not told of: %q", r.err)
	}
	if got := e.must("start", "-a", "box"); !strings.Contains(got, "init 80") || !strings.Contains(got, "deinit") {
		t.Errorf("the second start: %q", got)
	}
	e.must("rm", "box")
	// A build runs the image's files, not the image.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM service\nRUN [\"/bin/echo\", \"built\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := e.must("build", "-t", "built", dir); !strings.Contains(got, "\nbuilt\n") || strings.Contains(got, "init") {
		t.Errorf("build: %s", got)
	}
	e.fails(125, "the environment variable TOKEN", "run", "--rm", "--pull", "never", "built")
}

// A container may end with its last process, or by a stop alone; programs after main are run by a stop too.
func TestEndOfATree(t *testing.T) {
	e := start(t)
	if got := e.must("run", "--rm", "--label", "xc.tree", "testbox", "sh", "-c", "sh -c 'sleep 0.3; echo last' & echo first"); got != "first\nlast" {
		t.Errorf("of a tree: %q", got)
	}
	e.must("run", "-d", "--name", "box", "--label", "xc.persist=true", "testbox", "sh", "-c", "exit 5")
	if got := e.must("exec", "box", "echo", "still there"); got != "still there" {
		t.Errorf("exec: %q", got)
	}
	e.must("stop", "box")
	if got := e.must("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "box"); got != "exited 5" {
		t.Errorf("after the stop: %s", got)
	}
	e.extended("held", `{"secure_level": 0, "ports": {}, "allow": [], "devfs_rules": [], "special_mounts": [], "mounts": {},
		"envs": {"PATH": {"required": false, "default_value": "/bin"}},
		"entry_points": {"main": {"exec": "signals", "args": ["7"], "default_args": [], "environ": {}}},
		"deinit": [{"exec": "echo", "args": ["deinit"], "environ": {}}]}`)
	e.must("run", "-d", "--name", "held", "--label", "xc.tree=false", "held")
	eventually(t, "main runs", func() bool { return strings.Contains(e.must("logs", "held"), "ready") })
	e.must("stop", "-t", "30", "held")
	if got := e.must("logs", "held"); !strings.HasSuffix(got, "deinit") {
		t.Errorf("logs: %q", got)
	}
	if got := e.must("inspect", "-f", "{{.State.ExitCode}}", "held"); got != "7" {
		t.Errorf("exit code %s", got)
	}
}

// Further layers and files are in the root from the beginning, and are what the container changed.
func TestRootIsFilled(t *testing.T) {
	e := start(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "a:b")
	if err := os.WriteFile(file, []byte("copied\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	layer := writeTar(t, map[string][]byte{"etc/extra": []byte("extra\n"), "data/.wh.seed": nil})
	e.must("run", "--name", "base", "testbox", "write", "/etc/more", "more")
	e.must("commit", "base", "more:1")
	labels := []string{
		"--label", "xc.copy=" + strings.ReplaceAll(file, ":", `\:`) + ":/srv/new/file", "--label", "xc.extra-layer.1=" + layer, "--label", "xc.extra-layer.2=more:1",
	}
	got := e.must(append(append([]string{"run", "--name", "box"}, labels...), "testbox", "sh", "-c", "cat /srv/new/file /etc/extra /etc/more; stat /srv/new/file; ls /data")...)
	if !strings.HasPrefix(got, "copied\nextra\nmore\n") || !strings.Contains(got, "640") {
		t.Errorf("inside: %q", got)
	}
	diff := "\n" + e.must("diff", "box") + "\n"
	for _, want := range []string{"\nA /srv/new/file\n", "\nA /etc/extra\n", "\nA /etc/more\n"} {
		if !strings.Contains(diff, want) {
			t.Errorf("%q is not in the diff:%s", want, diff)
		}
	}
	r := e.docker("create", "--label", "xc.copy="+dir+"/nosuch:/x", "--label", "xc.extra-layer=nosuch", "--label", "xc.extra-layer.2="+dir, "testbox")
	for _, want := range []string{"there is no such file on the host", "there is no such image here: pull it first", "it is not a regular file"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("%q is not told: %s", want, r.err)
		}
	}
	e.fails(1, "xc.extra-layer="+file, "create", "--label", "xc.extra-layer="+file, "testbox")
	if got := e.must("ps", "-aq"); len(strings.Fields(got)) != 2 {
		t.Errorf("a failed create left something: %s", got)
	}
}

// What the engine writes for a container is no change of it.
func TestOwnFilesAreNoChange(t *testing.T) {
	e := start(t)
	e.must("run", "--name", "box", "testbox", "true")
	if got := e.must("diff", "box"); got != "" {
		t.Errorf("a container that did nothing changed\n%s", got)
	}
	e.must("commit", "box", "same:1")
	const layers = "{{len .RootFS.Layers}}"
	if a, b := e.must("image", "inspect", "-f", layers, "testbox"), e.must("image", "inspect", "-f", layers, "same:1"); a != b {
		t.Errorf("%s layers became %s", a, b)
	}
}

func TestDNSSource(t *testing.T) {
	e := start(t)
	read := func(source string) string {
		return e.must("run", "--rm", "--label", "xc.dns="+source, "--label", "xc.copy="+writeTar(t, map[string][]byte{"x": nil})+":/etc/resolv.conf.own", "testbox", "sh", "-c", "test -e /etc/resolv.conf && cat /etc/resolv.conf")
	}
	host, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Skip("this host has no resolv.conf:", err)
	}
	if got := read("host"); got != strings.TrimRight(string(host), "\n") {
		t.Errorf("host's: %q", got)
	}
	if got := read("empty"); got != "" {
		t.Errorf("empty: %q", got)
	}
	own := writeTar(t, map[string][]byte{"etc/resolv.conf": []byte("nameserver 192.0.2.1\n")})
	if got := e.must("run", "--rm", "--label", "xc.dns=image", "--label", "xc.extra-layer="+own, "testbox", "cat", "/etc/resolv.conf"); got != "nameserver 192.0.2.1" {
		t.Errorf("image's: %q", got)
	}
}

// What only jails have is refused elsewhere, each key with its sentence, all of them at once.
func TestKeysOfJails(t *testing.T) {
	e := start(t)
	keys := map[string]string{
		"xc.vnet": "false", "xc.jail.allow.mlock": "true", "xc.max-children": "1", "xc.dataset": "nosuch/dataset", "xc.devfs.a": "path bpf* unhide", "xc.usdt": "", "xc.enable-pf": "",
	}
	args := []string{"create"}
	for k, v := range keys {
		args = append(args, "--label", k+"="+v)
	}
	r := e.docker(append(args, "testbox")...)
	if runtime.GOOS == "freebsd" {
		if r.code == 0 || !strings.Contains(r.err, "dataset nosuch/dataset: it does not exist (zfs create nosuch/dataset)") {
			t.Errorf("%d %s", r.code, r.err)
		}
		return
	}
	for k := range keys {
		name := k
		for _, family := range []string{"xc.jail.", "xc.devfs."} {
			if strings.HasPrefix(k, family) {
				name = family
			}
		}
		if !strings.Contains(r.err, fmt.Sprintf("label %s: not on this platform: ", name)) {
			t.Errorf("%s is not refused: %s", k, r.err)
		}
	}
	e.must("run", "--rm", "--label", "xc.vnet=true", "--annotation", "org.freebsd.jail.allow.mlock=true", "testbox", "true")
}

package images

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
)

// oracle is a real dockerd, named by XC_ORACLE (unix:///…/docker.sock), through its stock CLI. Images that a test makes there
// have names below xc-oracle/ and go with it.
type oracle struct {
	t    *testing.T
	host string
}

func newOracle(t *testing.T) oracle {
	t.Helper()
	o := oracle{t, os.Getenv("XC_ORACLE")}
	if o.host == "" {
		t.Skip("no dockerd to compare with: name its socket in XC_ORACLE")
	}
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("no docker CLI on this machine")
	}
	t.Cleanup(func() {
		for _, id := range strings.Fields(o.try("images", "-q", "xc-oracle/*")) {
			o.try("rmi", "-f", id)
		}
	})
	return o
}

func (o oracle) command(args ...string) *exec.Cmd {
	cmd := exec.Command("docker", append([]string{"-H", o.host}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+o.t.TempDir())
	return cmd
}

func (o oracle) run(args ...string) string {
	o.t.Helper()
	out, err := o.command(args...).CombinedOutput()
	if err != nil {
		o.t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// try returns what is said, well or ill.
func (o oracle) try(args ...string) string {
	out, _ := o.command(args...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

func (o oracle) save(refs ...string) []byte {
	o.t.Helper()
	out, err := o.command(append([]string{"save"}, refs...)...).Output()
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

func (o oracle) load(tar []byte) string {
	o.t.Helper()
	cmd := o.command("load")
	cmd.Stdin = bytes.NewReader(tar)
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Fatalf("docker load: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func (o oracle) importRoot(name string, changes ...string) string {
	o.t.Helper()
	args := []string{"import"}
	for _, c := range changes {
		args = append(args, "-c", c)
	}
	cmd := o.command(append(args, "-", name)...)
	cmd.Stdin = bytes.NewReader(imagetest.Tar(imagetest.File("etc/made", name), imagetest.Dir("srv")))
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Fatalf("docker import: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

type dockerInspect struct {
	ID          string `json:"Id"`
	RepoTags    []string
	RepoDigests []string
	Size        int64
	RootFS      struct{ Layers []string }
	Config      struct {
		Cmd, Entrypoint, Env, OnBuild, Shell []string
		WorkingDir, User, StopSignal         string
		ExposedPorts, Volumes                map[string]struct{}
		Labels                               map[string]string
		Healthcheck                          *struct {
			Test                                          []string
			Interval, Timeout, StartPeriod, StartInterval time.Duration
			Retries                                       int
		}
	}
}

func (o oracle) inspect(ref string) dockerInspect {
	o.t.Helper()
	var all []dockerInspect
	if err := json.Unmarshal([]byte(o.run("image", "inspect", ref)), &all); err != nil {
		o.t.Fatal(err)
	}
	return all[0]
}

func TestOracleArchives(t *testing.T) {
	o := newOracle(t)
	w := newWorld(t)
	id := o.importRoot("xc-oracle/root:1", `CMD ["/bin/sh"]`)
	o.run("tag", id, "xc-oracle/other:2")
	got := w.load(o.save("xc-oracle/root:1", "xc-oracle/other:2"))
	slices.Sort(got)
	if diff := cmp.Diff([]string{"Loaded image: xc-oracle/other:2", "Loaded image: xc-oracle/root:1"}, got); diff != "" {
		t.Error(diff)
	}
	if i := w.inspect("xc-oracle/root:1"); string(i.ID) != id {
		t.Errorf("dockerd's %s became %s", id, i.ID)
	}

	// And the other way round: of ours, several layers, several images, compressed and plain.
	mine := imagetest.New(nil, imagetest.Tar(imagetest.File("a", "a")), imagetest.Tar(imagetest.File("b", "b")))
	w.load(mine.Archive("x:1"))
	w.tag("x:1", "xc-oracle/mine:1")
	plain, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: "xc-oracle/plain:1"}, bytes.NewReader(imagetest.Tar(imagetest.File("c", "c"))))
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Split(o.load(w.save("xc-oracle/mine:1", "xc-oracle/plain:1")), "\n")
	slices.Sort(said)
	if diff := cmp.Diff([]string{"Loaded image: xc-oracle/mine:1", "Loaded image: xc-oracle/plain:1"}, said); diff != "" {
		t.Error(diff)
	}
	for ref, want := range map[string]string{"xc-oracle/mine:1": mine.ID().String(), "xc-oracle/plain:1": string(plain)} {
		i := o.inspect(ref)
		if i.ID != want {
			t.Errorf("%s is %s there, %s here", ref, i.ID, want)
		}
		if diff := cmp.Diff(w.inspect(ref).Layers, i.RootFS.Layers); diff != "" {
			t.Error(diff)
		}
	}
	// What dockerd saves of ours is ours again.
	v := newWorld(t)
	v.load(o.save("xc-oracle/mine:1"))
	if i := v.inspect("xc-oracle/mine:1"); string(i.ID) != mine.ID().String() {
		t.Errorf("it came back as %s", i.ID)
	}
	if said := o.load(v.save(mine.ID().String())); said != "Loaded image ID: "+mine.ID().String() {
		t.Errorf("without a name: %q", said)
	}
}

func TestOracleChanges(t *testing.T) {
	o := newOracle(t)
	w := newWorld(t)
	changes := []string{
		`CMD ["/bin/sh", "-l"]`, "ENV PATH=/bin A=${PATH}:/x", `ENV B="two words" C=a\ b`, "EXPOSE 80 8000-8002/udp", `LABEL a=b c="d e"`, "USER 7:8", "WORKDIR /srv",
		"WORKDIR sub/../deep", "VOLUME /data /more", `VOLUME ["/json"]`, "STOPSIGNAL SIGUSR1", "HEALTHCHECK --interval=5s --start-period=1m --retries=2 CMD true",
		"ONBUILD RUN echo hi", "ENTRYPOINT exec top -b", "CMD echo $PATH",
	}
	o.importRoot("xc-oracle/changes:1", changes...)
	if _, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: "c:1", Changes: changes}, bytes.NewReader(imagetest.Tar())); err != nil {
		t.Fatal(err)
	}
	theirs, ours := o.inspect("xc-oracle/changes:1").Config, runConfigOf(w.inspect("c:1").Config)
	sorted := func(m map[string]struct{}) []string {
		var all []string
		for k := range m {
			all = append(all, k)
		}
		slices.Sort(all)
		return all
	}
	for name, pair := range map[string][2]any{
		"cmd": {theirs.Cmd, ours.Cmd}, "entrypoint": {theirs.Entrypoint, ours.Entrypoint}, "env": {theirs.Env, ours.Env}, "onbuild": {theirs.OnBuild, ours.OnBuild},
		"workdir": {theirs.WorkingDir, ours.WorkingDir}, "user": {theirs.User, ours.User}, "signal": {theirs.StopSignal, ours.StopSignal},
		"ports": {sorted(theirs.ExposedPorts), ours.ExposedPorts}, "volumes": {sorted(theirs.Volumes), ours.Volumes}, "labels": {theirs.Labels, ours.Labels},
		"health": {fmt.Sprintf("%+v", *theirs.Healthcheck), fmt.Sprintf("%+v", *ours.Healthcheck)},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s (-dockerd +xc): %s", name, diff)
		}
	}
	for _, bad := range []string{"RUN true", "EXPOSE 80/icmp", "STOPSIGNAL nope", "WORKDIR", "HEALTHCHECK --interval=x CMD true"} {
		cmd := o.command("import", "-c", bad, "-", "xc-oracle/bad:1")
		cmd.Stdin = bytes.NewReader(imagetest.Tar())
		out, err := cmd.CombinedOutput()
		_, ourErr := w.svc.Import(t.Context(), engine.ImportRequest{Changes: []string{bad}}, bytes.NewReader(imagetest.Tar()))
		if (err == nil) != (ourErr == nil) {
			t.Errorf("%s: dockerd %v %s, xc %v", bad, err, out, ourErr)
		} else {
			t.Logf("%s: dockerd %q, xc %q", bad, strings.TrimSpace(string(out)), fmt.Sprint(ourErr))
		}
	}
}

func TestOracleRegistry(t *testing.T) {
	o := newOracle(t)
	host := debianRegistry(t)
	w := newWorld(t)
	// Ours, of two layers, pulled by dockerd under tag and digest.
	img := imagetest.New(func(c *imageformat.JailImage) { c.Run.Cmd = []string{"/bin/x"} }, imagetest.Tar(imagetest.File("a", "a")), imagetest.Tar(imagetest.File("b", "b")))
	w.load(img.Archive(host + "/xc-oracle/x:1"))
	w.push(host + "/xc-oracle/x:1")
	t.Cleanup(func() {
		for _, name := range []string{"x:1", "root:1", "mine:1"} {
			o.try("rmi", "-f", host+"/xc-oracle/"+name)
		}
	})
	said := o.run("pull", host+"/xc-oracle/x:1")
	if !strings.Contains(said, "Digest: "+img.Digest().String()) {
		t.Errorf("dockerd says %s", said)
	}
	theirs := o.inspect(host + "/xc-oracle/x:1")
	ours := w.inspect(host + "/xc-oracle/x:1")
	if theirs.ID != string(ours.ID) {
		t.Errorf("%s there, %s here", theirs.ID, ours.ID)
	}
	if diff := cmp.Diff(theirs.RepoDigests, ours.Digests); diff != "" {
		t.Errorf("digests (-dockerd +xc): %s", diff)
	}
	o.run("rmi", host+"/xc-oracle/x:1")
	o.run("pull", host+"/xc-oracle/x@"+img.Digest().String())
	o.run("rmi", host+"/xc-oracle/x@"+img.Digest().String())

	// dockerd's, pulled here and pushed to another repository: the same digest.
	id := o.importRoot(host+"/xc-oracle/root:1", `CMD ["/bin/sh"]`)
	o.run("push", host+"/xc-oracle/root:1")
	w.pull(host + "/xc-oracle/root:1")
	theirs, ours = o.inspect(host+"/xc-oracle/root:1"), w.inspect(host+"/xc-oracle/root:1")
	if theirs.ID != id || string(ours.ID) != id {
		t.Errorf("%s, %s there, %s here", id, theirs.ID, ours.ID)
	}
	if diff := cmp.Diff(theirs.RepoDigests, ours.Digests); diff != "" {
		t.Errorf("digests (-dockerd +xc): %s", diff)
	}
	w.tag(host+"/xc-oracle/root:1", host+"/again/root:1")
	got := w.push(host + "/again/root:1")
	if d := strings.TrimPrefix(theirs.RepoDigests[0], host+"/xc-oracle/root@"); !strings.Contains(strings.Join(got, "\n"), "digest: "+d) {
		t.Errorf("%s became %v", d, got)
	}

	// An image made here by import runs through dockerd with its own id.
	mine, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: host + "/xc-oracle/mine:1", Changes: []string{"CMD x"}}, bytes.NewReader(imagetest.Tar(imagetest.File("f", "f"))))
	if err != nil {
		t.Fatal(err)
	}
	w.push(host + "/xc-oracle/mine:1")
	o.run("pull", host+"/xc-oracle/mine:1")
	if got := o.inspect(host + "/xc-oracle/mine:1"); got.ID != string(mine) {
		t.Errorf("%s there, %s here", got.ID, mine)
	}
}

func TestOracleRefusals(t *testing.T) {
	o := newOracle(t)
	w := newWorld(t)
	id := o.importRoot("xc-oracle/busy:1", `CMD ["/x"]`)
	w.load(o.save("xc-oracle/busy:1"))
	theirs := o.run("create", "xc-oracle/busy:1")
	defer o.run("rm", theirs)
	c := w.container("web", "xc-oracle/busy:1", engine.StateCreated, nil)
	same := func(ref string, force bool) {
		t.Helper()
		args := []string{"rmi", ref}
		if force {
			args = []string{"rmi", "-f", ref}
		}
		said := strings.TrimPrefix(o.try(args...), "Error response from daemon: ")
		said = strings.ReplaceAll(said, theirs[:12], c.ID.Short())
		done, err := w.svc.Remove(t.Context(), ref, engine.ImageRemoval{Force: force, Prune: true})
		ours := strings.Join(deletedText(done), "\n")
		if err != nil {
			ours = err.(*engine.Error).Err.Error()
		}
		if err == nil {
			said = strings.ReplaceAll(strings.ReplaceAll(said, "Untagged: ", "untagged "), "Deleted: ", "deleted ")
		}
		if diff := cmp.Diff(said, ours); diff != "" {
			t.Errorf("%v (-dockerd +xc): %s", args, diff)
		}
	}
	same("xc-oracle/busy:1", false)
	same(digest.Digest(id).Encoded()[:12], false)
	o.run("tag", id, "xc-oracle/second:1")
	w.tag(id, "xc-oracle/second:1")
	same(digest.Digest(id).Encoded()[:12], false)
	same("xc-oracle/second:1", false)
	same("xc-oracle/busy:1", true)
}

func TestOracleHistoryAndSizes(t *testing.T) {
	o := newOracle(t)
	w := newRealWorld(t)
	o.importRoot("xc-oracle/base:1", `CMD ["/x", "y z"]`, "ENV A=1")
	c := o.run("create", "-l", "own=1", "-e", "B=2", "xc-oracle/base:1", "run", "this")
	defer o.run("rm", c)
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, strings.Repeat("x", 12345))
	o.run("cp", file, c+":/srv/file")
	o.run("commit", "-a", "ada", "-m", "why", "-c", "ENV C=3", "-c", "EXPOSE 80", c, "xc-oracle/child:1")
	w.load(o.save("xc-oracle/base:1", "xc-oracle/child:1"))
	theirs, ours := o.inspect("xc-oracle/child:1"), w.inspect("xc-oracle/child:1")
	if string(ours.ID) != theirs.ID || ours.Size != theirs.Size || ours.Author != "ada" || ours.Comment != "why" {
		t.Errorf("size %d there, %d here; %+v", theirs.Size, ours.Size, ours)
	}
	var got []string
	for _, h := range must(w.svc.History(t.Context(), "xc-oracle/child:1", nil)) {
		id := string(h.ID)
		if id == "" {
			id = "<missing>"
		}
		got = append(got, fmt.Sprintf("%s|%s|%s|%d", id, h.CreatedBy, h.Comment, h.Size))
	}
	want := strings.Split(o.run("history", "--no-trunc", "--human=false", "--format", "{{.ID}}|{{.CreatedBy}}|{{.Comment}}|{{.Size}}", "xc-oracle/child:1"), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-dockerd +xc): %s", diff)
	}

	// The same commit made here has the same configuration.
	base := w.inspect("xc-oracle/base:1")
	mine := engine.Container{
		ID: engine.ContainerID(engine.NewID()), Name: "web", Image: base.ID, Platform: base.Platform,
		Spec: engine.Spec{Process: engine.ProcessSpec{Cmd: []string{"run", "this"}, Env: []string{"B=2", "A=1"}}, Labels: map[string]string{"own": "1"}},
	}
	if err := w.store.Roots().Create(t.Context(), mine.ID, base.Top, nil); err != nil {
		t.Fatal(err)
	}
	root := must(w.store.Roots().Mount(t.Context(), mine.ID))
	writeFile(t, filepath.Join(root, "srv", "file"), strings.Repeat("x", 12345))
	w.containers.all = []engine.Container{mine}
	if _, err := w.svc.Commit(t.Context(), engine.CommitRequest{
		Container: "web", Ref: "mine:1", Author: "ada", Comment: "why", Changes: []string{"ENV C=3", "EXPOSE 80"},
	}); err != nil {
		t.Fatal(err)
	}
	made, loaded := w.inspect("mine:1"), w.inspect("xc-oracle/child:1")
	if diff := cmp.Diff(loaded.Config, made.Config, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("config (-dockerd +xc): %s", diff)
	}
	if made.Size != loaded.Size {
		t.Errorf("size %d there, %d here", loaded.Size, made.Size)
	}
	h := must(w.svc.History(t.Context(), "mine:1", nil))
	if h[0].CreatedBy != "run this" || h[0].Comment != "why" || h[0].Size != 12345 {
		t.Errorf("%+v", h[0])
	}
}

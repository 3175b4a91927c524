package integration

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// xcCommand makes a command of xc upon the daemon's own socket.
func (e *engine) xcCommand(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, filepath.Join(kit.bin, "xc"), append([]string{"-s", filepath.Join(e.dir, "x.sock")}, args...)...)
}

// xcFeed runs xc with text as its input, at most a minute.
func (e *engine) xcFeed(stdin string, args ...string) result {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
	defer cancel()
	cmd := e.xcCommand(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) || ctx.Err() != nil {
		e.t.Fatalf("xc %s: %v %v\n%s%s", strings.Join(args, " "), err, ctx.Err(), out.String(), errs.String())
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// xc runs a command of xc that has to succeed and returns its output without the last line feed.
func (e *engine) xc(args ...string) string {
	e.t.Helper()
	r := e.xcFeed("", args...)
	if r.code != 0 {
		e.t.Fatalf("xc %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return strings.TrimRight(r.out, "\n")
}

// xcFails runs a command of xc that has to fail with this code and text on stderr.
func (e *engine) xcFails(code int, text string, args ...string) {
	e.t.Helper()
	if r := e.xcFeed("", args...); r.code != code || !strings.Contains(r.err, text) {
		e.t.Errorf("xc %s: exit code %d, %q; want %d, %q", strings.Join(args, " "), r.code, r.err, code, text)
	}
}

// TestXCSeesWhatDockerMade and the other way round: what one command makes, the other lists, logs, executes in, stops and removes.
func TestXCSeesWhatDockerMade(t *testing.T) {
	e := start(t)
	id := e.must("run", "-d", "--name", "dk", "--label", "by=docker", "testbox", "sh", "-c", "echo of docker; sleep 1000")
	eventually(t, "the log", func() bool { return e.xc("logs", "dk") == "of docker" })
	if got := strings.Fields(e.xc("ps", "-H", "id,name,state,image")); strings.Join(got, " ") != id12(id)+" dk running testbox" {
		t.Errorf("xc ps shows %q", got)
	}
	if got := e.xc("exec", "dk", "echo", "hi"); got != "hi" {
		t.Errorf("xc exec gave %q", got)
	}
	if got := e.xc("inspect", "-f", "{{.Labels.by}}", "dk"); got != "docker" {
		t.Errorf("xc inspect gave %q", got)
	}
	e.xc("stop", "-t", "1", "dk")
	if got := e.must("inspect", "-f", "{{.State.Status}}", "dk"); got != "exited" {
		t.Errorf("docker sees %q", got)
	}
	e.xc("rm", "dk")
	e.fails(1, "No such container: dk", "start", "dk")

	id = e.xc("run", "-d", "--no-clean", "--name", "ours", "-l", "by=xc", "testbox", "sh", "-c", "echo of xc; sleep 1000")
	eventually(t, "the log", func() bool { return e.must("logs", "ours") == "of xc" })
	if got := e.must("ps", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Image}} {{.State}}"); got != id+" ours testbox running" {
		t.Errorf("docker ps shows %q", got)
	}
	if got := e.must("exec", "ours", "echo", "hi"); got != "hi" {
		t.Errorf("docker exec gave %q", got)
	}
	e.must("stop", "-t", "1", "ours")
	if got := e.xc("ps", "-a", "-H", "name,state"); strings.Join(strings.Fields(got), " ") != "ours exited" {
		t.Errorf("xc sees %q", got)
	}
	e.must("rm", "ours")
	e.xcFails(1, "there is no container ours", "start", "ours")
}

// TestXCAndDockerShareThings does with networks, volumes, images, builds and events what TestXCSeesWhatDockerMade does with containers.
func TestXCAndDockerShareThings(t *testing.T) {
	e := start(t)
	began := time.Now().Add(-time.Second).Format(time.RFC3339Nano)
	same := func(what, want, got string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}

	e.must("network", "create", "--label", "by=docker", "--subnet", "10.213.9.0/24", "dnet")
	same("docker's network", "dnet 10.213.9.0/24 docker", e.xc("network", "list", "--filter", "name=dnet", "--format", "{{.Name}} {{(index .Subnets 0).Subnet}} {{.Labels.by}}"))
	e.xc("network", "create", "--label", "by=xc", "xnet", "10.213.10.0/24")
	same("xc's network", "xnet 10.213.10.0/24 xc", e.must("network", "inspect", "-f", "{{.Name}} {{(index .IPAM.Config 0).Subnet}} {{.Labels.by}}", "xnet"))
	e.must("run", "-d", "--name", "dk", "--network", "xnet", "testbox", "httpd", ":80", "of docker")
	same("a name across", "of docker", strings.SplitN(e.xc("run", "--network", "xnet", "testbox", "get", "http://dk/"), "\n", 2)[0])
	e.xcFails(1, "dk", "network", "rm", "xnet")

	e.must("volume", "create", "--label", "by=docker", "dvol")
	same("docker's volume", "docker", e.xc("volume", "show", "--format", "{{.Labels.by}}", "dvol"))
	e.xc("run", "-v", "dvol:/v", "testbox", "sh", "-c", "echo kept >/v/f")
	same("its content", "kept", e.must("run", "--rm", "-v", "dvol:/v", "testbox", "cat", "/v/f"))
	e.xc("volume", "create", "xvol", "directory")
	same("xc's volume", "xvol", e.must("volume", "ls", "-q", "-f", "name=xvol"))

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM testbox\nRUN echo step >/made\nLABEL by=xc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.xc("build", "-t", "built:x", dir)
	same("xc's image", "xc", e.must("image", "inspect", "-f", "{{.Config.Labels.by}}", "built:x"))
	if r := e.docker("build", "-t", "built:d", dir); r.code != 0 || !strings.Contains(r.out, "Using cache") {
		t.Errorf("docker build does not find xc's steps: %+v", r)
	}
	id := e.must("image", "inspect", "-f", "{{.Id}}", "built:d")
	same("docker's image", id, e.xc("image", "show", "--format", "{{.ID}}", "built:d"))
	e.must("tag", "built:d", "more:1")
	same("what it has", "step", e.xc("run", "more:1", "cat", "/made"))
	e.xc("image", "remove", "more:1")
	e.fails(1, "No such image: more:1", "image", "inspect", "more:1")

	e.xc("rm", "-f", "dk")
	for _, names := range [][]string{{"network", "dnet", "xnet"}, {"volume", "dvol", "xvol"}} {
		e.xc(names[0], "rm", names[1])
		e.must(names[0], "rm", names[2])
	}
	// Both tell the same events, whoever asked for what.
	now := time.Now().Add(time.Second).Format(time.RFC3339Nano)
	theirs := strings.Split(e.must("events", "--since", began, "--until", now, "--format", "{{.Type}} {{.Action}}"), "\n")
	ours := strings.Split(e.xc("events", "--since", began, "--until", now, "--format", "{{.Type}} {{.Action}}"), "\n")
	if diff := cmp.Diff(theirs, ours); diff != "" || len(ours) < 20 {
		t.Errorf("events (-docker +xc):\n%s", diff)
	}
	for _, want := range []string{"network create", "network destroy", "volume create", "volume destroy", "image tag", "image untag", "container destroy"} {
		if !slices.Contains(ours, want) {
			t.Errorf("%q is not among the events %q", want, ours)
		}
	}
}

func TestXCRun(t *testing.T) {
	e := start(t)
	for _, tc := range []struct {
		args []string
		out  string
		err  string
		code int
	}{
		{[]string{"testbox", "echo", "hello"}, "hello\n", "", 0},
		{[]string{"testbox", "sh", "-c", "echo a; echo -e b; exit 3"}, "a\n", "b\n", 3},
		{[]string{"testbox", "no-such-program"}, "", "no-such-program: no such program in the container", 127},
		{[]string{"testbox", "/etc/notexec"}, "", "it may not be executed", 126},
		{[]string{"--init", "testbox", "sh", "-c", "kill 9 $$"}, "", "", 137},
		{[]string{"testbox", "--name", "between", "hostname"}, "between\n", "", 0},
		{[]string{"-u", "www", "-g", "10", "testbox", "id"}, "gid=10", "", 0},
		{[]string{"-w", "/data", "-e", "A=1", "testbox", "sh", "-c", "pwd; env A"}, "/data\n1\n", "", 0},
		{[]string{"-u", "nobody-there", "testbox", "id"}, "", "the container has no user nobody-there", 1},
		{[]string{"--read-only", "--tmpfs", "/t", "testbox", "touch", "/t/x"}, "", "", 0},
		{[]string{"--empty-dns", "testbox", "cat", "/etc/resolv.conf"}, "", "", 0},
		{[]string{"--dns", "8.8.8.8", "--dns", "8.8.4.4", "testbox", "cat", "/etc/resolv.conf"}, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n", "", 0},
	} {
		r := e.xcFeed("", append([]string{"run"}, tc.args...)...)
		if r.code != tc.code || !strings.Contains(r.out, tc.out) || !strings.Contains(r.err, tc.err) {
			t.Errorf("xc run %v: %+v", tc.args, r)
		}
	}
	text := strings.Repeat("0123456789abcde\n", 64<<10) // 1 MiB
	if r := e.xcFeed(text, "run", "-i", "testbox", "cat"); r.out != text {
		t.Errorf("%d bytes came back of %d", len(r.out), len(text))
	}
	if left := e.xc("ps", "-aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
}

func TestXCFiles(t *testing.T) {
	e := start(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "src", "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"src/a": "one\n", "src/d/b": "two\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	e.xc("run", "-d", "--name", "files", "--copy", in("src/a")+":/etc/copied", "-v", in("src")+":/srv:ro", "testbox", "sleep", "1000")
	for path, want := range map[string]string{"/etc/copied": "one", "/srv/d/b": "two"} {
		if got := e.xc("exec", "files", "cat", path); got != want {
			t.Errorf("%s has %q", path, got)
		}
	}
	e.xcFails(1, "read-only", "exec", "files", "touch", "/srv/x")
	e.xc("cp", in("src"), "files:/data/new")
	e.xc("cp", in("src/a"), "files:/data/")
	if got := e.xc("exec", "files", "cat", "/data/new/d/b", "/data/a"); got != "two\none" {
		t.Errorf("copied in: %q", got)
	}
	e.xc("cp", "files:/data/new/.", in("out"))
	if got, err := os.ReadFile(in("out/d/b")); err != nil || string(got) != "two\n" {
		t.Errorf("copied out: %q, %v", got, err)
	}
	r := e.xcFeed("", "cp", "files:/data/a", "-")
	if h, err := tar.NewReader(strings.NewReader(r.out)).Next(); err != nil || h.Name != "a" {
		t.Errorf("a tar of %v, %v", h, err)
	}
	e.xcFails(1, "there is no /nosuch in the container", "cp", "files:/nosuch", in("out"))
	if got := e.xc("diff", "files"); !strings.Contains(got, "A  /data/new/d/b\n") {
		t.Errorf("changes: %s", got)
	}
	e.xc("commit", "files", "snap:1")
	if got := e.must("run", "--rm", "snap:1", "cat", "/data/a"); got != "one" {
		t.Errorf("the image has %q", got)
	}
	e.xc("rm", "-f", "files")
}

func TestXCPorts(t *testing.T) {
	e := start(t)
	e.xc("run", "-d", "--name", "web", "--network", "bridge", "-p", "127.0.0.1::8080", "testbox", "httpd", ":8080", "works")
	var first []struct {
		HostPort int `json:"host_port"`
	}
	if err := json.Unmarshal([]byte(e.xc("rdr", "list", "-o", "json", "web")), &first); err != nil || len(first) != 1 {
		t.Fatalf("%v, %v", first, err)
	}
	e.xc("rdr", "add", "-p", "[::1]::8080/tcp", "web")
	list := strings.Split(e.xc("rdr", "list", "-H", "web"), "\n")
	if len(list) != 2 {
		t.Fatalf("published: %q", list)
	}
	for _, p := range list {
		address, _, _ := strings.Cut(p, "->")
		if got := httpGet(t, "http://"+address+"/"); !strings.Contains(got, "works") {
			t.Errorf("%s says %q", address, got)
		}
	}
	// An interface stands for its addresses.
	e.xc("run", "-d", "--name", "inner", "--network", "bridge", "-p", loopback+"|"+freePort(t)+":80/tcp", "testbox", "httpd", ":80", "inside")
	for _, p := range strings.Split(e.xc("rdr", "list", "-H", "inner"), "\n") {
		address, _, _ := strings.Cut(p, "->")
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err != nil || !ip.IsLoopback() {
			t.Errorf("published on %q, %v", address, err)
		}
		if got := httpGet(t, "http://"+address+"/"); !strings.Contains(got, "inside") {
			t.Errorf("%s says %q", address, got)
		}
	}
	e.xcFails(1, "missing network interface nosuch0", "run", "--network", "bridge", "-p", "nosuch0|80:80", "testbox", "true")
	e.xc("rm", "-f", "inner")

	e.xc("rdr", "rm", "-p", "8080", "web")
	if got := e.xc("rdr", "list", "-H", "web"); got != "" {
		t.Errorf("still published: %s", got)
	}
	c := http.Client{Timeout: kit.patience * time.Second}
	for _, p := range list {
		address, _, _ := strings.Cut(p, "->")
		if resp, err := c.Get("http://" + address + "/"); err == nil {
			resp.Body.Close()
			t.Errorf("%s still answers", address)
		}
	}
	e.xc("rm", "-f", "web")
}

// TestXCLink asserts that either side's end ends the other, and that a restart of the daemon ends neither.
func TestXCLink(t *testing.T) {
	e := start(t)
	link := func(name string) *exec.Cmd {
		cmd := e.xcCommand(context.Background(), "link", name)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	e.xc("run", "-d", "--rm=false", "--name", "first", "testbox", "sleep", "1000")
	cmd := link("first")
	time.Sleep(kit.patience * 300 * time.Millisecond) // until it is connected there is nothing to be seen of it
	e.kill(syscall.SIGTERM)
	e.boot()
	time.Sleep(kit.patience * time.Second) // likewise
	if got := e.xc("ps", "-H", "name"); got != "first" {
		t.Fatalf("after the daemon's restart there runs %q", got)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // it was killed
	eventually(t, "the container's end", func() bool { return e.xc("ps", "-q") == "" })
	if got := e.xc("ps", "-a", "-H", "status"); !strings.HasPrefix(got, "Exited (137)") {
		t.Errorf("it is %q", got)
	}
	e.xc("start", "first")
	cmd = link("first")
	time.Sleep(kit.patience * 300 * time.Millisecond)
	e.must("stop", "-t", "1", "first")
	if err := cmd.Wait(); err != nil {
		t.Errorf("the link ended with %v", err)
	}
	e.xc("rm", "first")
}

func TestXCTerminal(t *testing.T) {
	e := start(t)
	at := func(args ...string) *terminal {
		ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
		return e.atTerminal(e.xcCommand(ctx, args...), cancel)
	}
	// As the guide has it: no flag, and there is a console.
	x := at("run", "--name", "console", "testbox", "cat")
	x.types("typed\r")
	x.expect("typed\r\ntyped")
	x.types("\x10q")
	if code := x.ends(); code != 0 {
		t.Errorf("leaving it gave %d", code)
	}
	x = at("attach", "console")
	x.types("again\r")
	x.expect("again\r\nagain")
	x.types(detach) // docker's keys do, too
	if code := x.ends(); code != 0 {
		t.Errorf("leaving it gave %d", code)
	}
	x = at("exec", "-it", "console", "tty", "-f")
	x.expect("24 80")
	x.resize(30, 100)
	x.expect("30 100")
	x.types(ctrlC)
	x.ends()
	x = at("attach", "console")
	x.types("last\r")
	x.expect("last\r\nlast")
	x.types("\x04")
	if code := x.ends(); code != 0 {
		t.Errorf("the end gave %d", code)
	}
	eventually(t, "its removal", func() bool { return e.xc("ps", "-aq") == "" })
}

func TestXCSignals(t *testing.T) {
	e := start(t)
	cmd := e.xcCommand(context.Background(), "run", "--name", "sig", "testbox", "signals", "17")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ready", func() bool { return strings.Contains(e.xcFeed("", "logs", "sig").out, "ready") })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil || !strings.Contains(string(text), "got SIGTERM") {
		t.Errorf("it wrote %q, %v", text, err)
	}
	cmd.Wait() //nolint:errcheck // the code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 17 {
		t.Errorf("exit code %d", code)
	}
}

// TestXCForUsers runs xc as a user of the host who is not root: what that user may open is what its containers get.
func TestXCForUsers(t *testing.T) {
	const uid = 54321
	closed := "/etc/shadow" // root's alone
	if runtime.GOOS == "freebsd" {
		closed = "/etc/master.passwd"
	}
	e := start(t, func(e *engine) {
		config := filepath.Join(e.dir, "xc.conf")
		rules := `{"access": [{"users": ["54321"], "rights": ["images"], "paths": ["/etc", "/etc/*"]}]}`
		if err := os.WriteFile(config, []byte(rules), 0o600); err != nil {
			t.Fatal(err)
		}
		e.flags = append(e.flags, "-c", config)
	})
	// The user must reach the socket, the program and files of its own.
	program, err := os.ReadFile(filepath.Join(kit.bin, "xc"))
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(e.dir, "home")
	for _, do := range []error{
		os.Chmod(e.dir, 0o755), os.WriteFile(filepath.Join(e.dir, "xc"), program, 0o755), os.Mkdir(home, 0o755),
		os.WriteFile(filepath.Join(home, "mine"), []byte("of the user\n"), 0o600), os.WriteFile(filepath.Join(home, "Dockerfile"), []byte("FROM testbox\nCOPY mine /mine\n"), 0o644),
		os.WriteFile(filepath.Join(home, "Host"), []byte("FROM testbox\nRUN --network=host true\n"), 0o644),
		os.WriteFile(filepath.Join(e.dir, "roots"), []byte("of root\n"), 0o600),
		os.Chown(home, uid, uid), os.Chown(filepath.Join(home, "mine"), uid, uid),
	} {
		if do != nil {
			t.Fatal(do)
		}
	}
	xc := func(args ...string) result {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
		defer cancel()
		cmd := e.xcCommand(ctx, args...)
		cmd.Path, cmd.Dir = filepath.Join(e.dir, "xc"), home
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
	}
	for _, c := range []struct {
		args      []string
		code      int
		out, errs string
	}{
		{[]string{"run", "--copy", "mine:/etc/copied", "testbox", "cat", "/etc/copied"}, 0, "of the user\n", ""},
		{[]string{"run", "--copy", "../roots:/etc/copied", "testbox", "cat", "/etc/copied"}, 1, "", `needs the right "path", or to be passed opened`},
		{[]string{"run", "-v", "/etc/passwd:/p:ro", "testbox", "wc", "/p"}, 0, "", ""},
		{[]string{"run", "-v", "/etc:/e:ro", "testbox", "touch", "/e/x"}, 1, "", "read-only"},
		{[]string{"run", "-v", "/etc:/e", "testbox", "true"}, 1, "", "read-only: /etc:TARGET:ro"},
		{[]string{"run", "-v", closed + ":/s:ro", "testbox", "true"}, 1, "", "has not shown that " + closed + " can be opened"},
		{[]string{"run", "-v", home + ":/h:ro", "testbox", "true"}, 1, "", `needs the right "path", or to be among the "paths"`},
		{[]string{"build", "-t", "made", "."}, 0, "", ""},
		{[]string{"build", "-f", "Host", "-t", "host", "."}, 1, "", "only root may build with the network host"},
		{[]string{"build", "-t", "host", "ssh://git@192.0.2.1/x"}, 1, "", "only root may fetch by ssh"},
		{[]string{"run", "made", "cat", "/mine"}, 0, "of the user\n", ""},
		{[]string{"create", "--name", "kept", "testbox"}, 0, "", ""},
		{[]string{"cp", "mine", "kept:/tmp/mine"}, 0, "", ""},
		{[]string{"cp", "../roots", "kept:/tmp/roots"}, 1, "", "permission denied"},
		{[]string{"cp", "kept:/tmp/mine", "back"}, 0, "", ""},
		{[]string{"volume", "create", "vv"}, 1, "", `needs the right "volumes"`},
		{[]string{"network", "create", "nn"}, 1, "", `needs the right "networks"`},
		{[]string{"rm", "kept"}, 0, "kept\n", ""},
	} {
		r := xc(c.args...)
		if r.code != c.code || c.out != "" && r.out != c.out || !strings.Contains(r.err, c.errs) {
			t.Errorf("xc %v: %+v, want %d, %q, %q", c.args, r, c.code, c.out, c.errs)
		}
	}
	if got, err := os.ReadFile(filepath.Join(home, "back")); err != nil || string(got) != "of the user\n" {
		t.Errorf("copied out: %q, %v", got, err)
	}
}

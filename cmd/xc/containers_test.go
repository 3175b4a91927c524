package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func TestRunGivesOutputAndExitCode(t *testing.T) {
	b := newBed(t)
	for _, c := range []struct {
		args     []string
		out, err string
		code     int
	}{
		{[]string{"box", "echo", "hello"}, "hello\n", "", 0},
		{[]string{"box", "err", "oops"}, "", "oops\n", 0},
		{[]string{"box", "exit", "3"}, "", "", 3},
		{[]string{"box", "nosuch"}, "", "nosuch: no such program", 127},
		{[]string{"box", "/denied"}, "", "may not be executed", 126},
		{[]string{"--pull", "never", "nosuch", "true"}, "", "there is no image nosuch", 1},
		{[]string{"box"}, "", "what to run", 1},
		{[]string{"box", "--name", "between", "echo", "-n", "--name"}, "-n --name\n", "", 0},
		{[]string{"box", "--", "echo", "--name"}, "--name\n", "", 0},
		{[]string{"box", "echo", "--", "-c"}, "-c\n", "", 0},
		{[]string{"box", "--nmae", "x", "true"}, "", "did you mean --name?", 2},
		{[]string{"--", "box", "echo", "-x"}, "-x\n", "", 0},
		{[]string{"--entrypoint", "echo", "box", "a", "b"}, "a b\n", "", 0},
		{[]string{"-e", "A=1", "box", "env"}, "A=1\n", "", 0},
	} {
		r := b.run(append([]string{"run"}, c.args...)...)
		if r.code != c.code || !strings.Contains(r.out, c.out) || !strings.Contains(r.err, c.err) {
			t.Errorf("run %v: %+v", c.args, r)
		}
	}
	if left := b.must("ps", "-aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
	if r := b.feed("piped\n", "run", "-i", "box", "cat"); r.out != "piped\n" || r.code != 0 {
		t.Errorf("stdin: %+v", r)
	}
	if r := b.feed("piped\n", "run", "box", "cat"); r.out != "" || r.code != 0 {
		t.Errorf("stdin without -i: %+v", r)
	}
}

func TestWrongWishes(t *testing.T) {
	b := newBed(t)
	for _, c := range []struct {
		text string
		args []string
	}{
		{"--detach and --link exclude each other", []string{"-d", "--link", "box", "true"}},
		{"--no-clean and --rm exclude each other", []string{"--no-clean", "--rm", "box", "true"}},
		{"--publish: the container has no network", []string{"-p", "80:80", "box", "true"}},
		{"--publish: \"x\" is not a port: a number from 1 to 65535\n  80:x\n     ^", []string{"--network", "n", "-p", "80:x", "box", "true"}},
		{"--volume: \"rx\" is neither ro nor rw", []string{"-v", "a:/b:rx", "box", "true"}},
		{"--ip: \"1.2.3.4x\" is neither an address", []string{"--ip", "em0|1.2.3.4x", "box", "true"}},
		{"--network host goes with no other network", []string{"--network", "host", "--network", "n", "box", "true"}},
		{"-o: the value is missing", []string{"-o", "allow.mount", "box", "true"}},
		{"--no-lo0 is not supported", []string{"--vnet", "--no-lo0", "box", "true"}},
		{"--empty-dns and --dns-nop exclude each other", []string{"--empty-dns", "--dns-nop", "box", "true"}},
		{"--entry-point and --entrypoint exclude", []string{"--entry-point", "a", "--entrypoint", "b", "box"}},
		{"--memory: \"much\" is not a size", []string{"-m", "much", "box", "true"}},
		{"\"many\" is not a count", []string{"--restart", "on-failure:many", "box", "true"}},
		{"--copy: the target must be an absolute path", []string{"--copy", "/etc/hosts:x", "box", "true"}},
		{"--extra-layer: /nosuch.tar is no tar", []string{"--extra-layer", "/nosuch.tar", "box", "true"}},
		{"--pull often: missing, always or never", []string{"--pull", "often", "box", "true"}},
		{"requires at least 1 arg", nil},
	} {
		b.fails(2, c.text, append([]string{"run"}, c.args...)...)
	}
	// Every mistake is told at once.
	r := b.run("run", "-v", "a", "-p", "x", "-z", "/tank", "box", "true")
	for _, flag := range []string{"--volume:", "--publish:", "-z:"} {
		if !strings.Contains(r.err, flag) {
			t.Errorf("%s is not told in %q", flag, r.err)
		}
	}
}

// wishOf reads the flags and arguments of create.
func wishOf(t *testing.T, args ...string) (wire.ContainerCreate, error) {
	t.Helper()
	var w wish
	f := pflag.NewFlagSet("create", pflag.ContinueOnError)
	w.flags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return w.request(f.Args())
}

// TestFlagsBecomeWishes holds the original's syntax to what the daemon is asked for.
func TestFlagsBecomeWishes(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a:b")
	if err := os.WriteFile(file, []byte("FROM=file\n# remark\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HERE", "there")
	got, err := wishOf(t, "--name", "n1", "-u", "www", "-g", "80", "-e", "A=1", "-e", "HERE", "--env-file", file, "--vnet", "--ip", "em0|10.0.0.2/24", "--ip", "em1",
		"--network", "example|172.17.0.200", "--main-address", "network/example", "--net-group", "example", "--net-group", "other", "-z", "DATA:tank/db", "-z", "tank/x",
		"--tap", "T", "--tun", "U", "-o", "allow.mount=1", "--copy", strings.ReplaceAll(file, ":", `\:`)+":/etc/a", "--usdt", "--enable-pf", "--max.children", "3", "--persist",
		"--dns", "8.8.8.8", "-v", "vol:data:ro", "-v", dir+":/srv", "-p", "8080:80/tcp", "--restart", "on-failure:3", "-m", "64m", "box", "start", "x")
	if err != nil {
		t.Fatal(err)
	}
	want := wire.ContainerCreate{
		Name: "n1", Hostname: "n1", Image: "box", EntryPoint: "start", Args: []string{"x"}, User: "www:80", Env: []string{"FROM=file", "A=1", "HERE=there"},
		Labels: map[string]string{
			"xc.vnet": "true", "xc.ip": "em0|10.0.0.2/24", "xc.ip.2": "em1", "xc.main-address": "network/example", "xc.net-group": "example,other",
			"xc.dataset": "DATA:tank/db", "xc.dataset.2": "tank/x", "xc.tap": "T", "xc.tun": "U", "xc.jail.allow.mount": "1",
			"xc.copy": strings.ReplaceAll(file, ":", `\:`) + ":/etc/a", "xc.usdt": "true", "xc.enable-pf": "true", "xc.max-children": "3", "xc.persist": "true",
			"xc.volume.data": "vol:ro",
		},
		Network: wire.NetworkWish{Networks: []wire.NetworkJoin{{Network: "example", IPv4: "172.17.0.200"}}, DNS: []string{"8.8.8.8"}},
		Mounts:  []wire.MountWish{{Source: dir, Target: "/srv"}}, Publish: []wire.Publish{{HostPort: 8080, Port: 80, Proto: "tcp"}},
		Restart: wire.Restart{Policy: "on-failure", Max: 3}, Limits: wire.Limits{Memory: 64 << 20},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	for flag, want := range map[string]string{"--dns-nop": "image", "--empty-dns": "empty"} {
		got, err := wishOf(t, flag, "box")
		if err != nil || got.Labels["xc.dns"] != want || got.Network.Mode != "none" {
			t.Errorf("%s: %+v, %v", flag, got, err)
		}
	}
}

func TestLifeOfAContainer(t *testing.T) {
	b := newBed(t)
	id := b.must("create", "--name", "web", "--label", "a=b", "box", "sleep", "1000")
	b.fails(1, "the name web is taken by container "+id[:12], "create", "--name", "web", "box", "true")
	if got := b.must("start", "web"); got != "web" {
		t.Errorf("start printed %q", got)
	}
	if got := strings.Fields(b.must("ps", "-H", "name,state,main,vnet,os")); cmp.Diff([]string{"web", "running", "sleep", "1000", "false", "Linux"}, got) != "" {
		t.Errorf("ps gave %v", got)
	}
	if got := b.must("ps", "-q", "--no-trunc", "-f", "label=a=b"); got != id {
		t.Errorf("ps -q gave %s", got)
	}
	if got := b.must("ps", "-a", "--format", "{{.Name}} {{.State}}"); got != "web running" {
		t.Errorf("ps --format gave %q", got)
	}
	var all []wire.Container
	if err := json.Unmarshal([]byte(b.must("inspect", "web", id[:6])), &all); err != nil || len(all) != 2 || all[1].ID != id {
		t.Errorf("inspect gave %+v, %v", all, err)
	}
	if got := b.must("show", "web"); !strings.Contains(got, "sleep 1000") || !strings.Contains(got, "a=b") {
		t.Errorf("show gave %s", got)
	}
	if got := b.must("exec", "web", "echo", "-n", "x"); got != "-n x" {
		t.Errorf("exec gave %q", got)
	}
	if r := b.feed("in\n", "exec", "web", "cat"); r.out != "in\n" {
		t.Errorf("exec cat gave %+v", r)
	}
	b.fails(7, "", "exec", "web", "exit", "7")
	b.fails(127, "no such program", "exec", "web", "nosuch")
	b.fails(1, "there is no container wbe; did you mean web?", "exec", "wbe", "true")
	b.fails(1, "working directory rel: must be an absolute path", "exec", "-w", "rel", "web", "true")
	b.fails(1, "container web is running already", "start", "web")
	b.fails(1, "container web is running: stop it first", "rm", "web")
	b.must("pause", "web")
	b.fails(1, "is paused", "exec", "web", "true")
	b.must("unpause", "web")
	b.must("rename", "web", "site")
	b.fails(1, "there is no container web", "stop", "web", "site")
	b.fails(1, "container site is not running", "stop", "site")
	if got := b.must("ps", "-a", "-H", "status"); !strings.HasPrefix(got, "Exited (143)") {
		t.Errorf("after stop: %q", got)
	}
	if r := b.run("wait", "site"); r.out != "143\n" || r.code != 143 {
		t.Errorf("wait: %+v", r)
	}
	b.must("rm", "site")
	if r := b.run("rm", "site", "site"); r.code != 1 || strings.Count(r.err, "there is no container site") != 2 {
		t.Errorf("rm of nothing: %+v", r)
	}
}

func TestStartAttached(t *testing.T) {
	b := newBed(t)
	b.must("create", "--name", "job", "box", "exit", "4")
	b.fails(4, "", "start", "-a", "job")
	b.must("create", "--name", "says", "box", "echo", "x")
	if got := b.must("start", "-a", "says"); got != "x" {
		t.Errorf("start -a gave %q", got)
	}
	b.fails(1, "does not run", "attach", "says")
	b.fails(2, "only one container", "start", "-a", "job", "says")
}

func TestPorts(t *testing.T) {
	b := newBed(t)
	b.must("run", "-d", "--name", "web", "--network", "bridge", "-p", "127.0.0.1:28080:80/tcp", "box", "sleep", "1000")
	if got := b.must("rdr", "list", "-H", "web"); got != "127.0.0.1:28080->80/tcp" {
		t.Errorf("published %q", got)
	}
	b.must("rdr", "add", "-p", "127.0.0.1:28081:81/udp", "web")
	b.fails(1, "publishes port 81/udp so already", "rdr", "add", "-p", "127.0.0.1:28081:81/udp", "web")
	if got := b.must("rdr", "list", "web"); !strings.HasPrefix(got, "2 redirection(s)\n") || !strings.Contains(got, "127.0.0.1:28081->81/udp") {
		t.Errorf("published %q", got)
	}
	if got := b.must("rdr", "show-rules", "--format", "{{.Container}} {{.HostPort}}"); got != "web 28080\nweb 28081" && got != "web 28081\nweb 28080" {
		t.Errorf("rules %q", got)
	}
	b.fails(1, "does not publish such a port", "rdr", "rm", "-p", "9:9", "web")
	b.must("rdr", "rm", "-p", "127.0.0.1:28080:80", "web")
	if got := b.must("rdr", "list", "-H", "web"); got != "127.0.0.1:28081->81/udp" {
		t.Errorf("published %q", got)
	}
	b.fails(2, "no port is named", "rdr", "add", "web")
	b.must("run", "-d", "--name", "lone", "box", "sleep", "1000")
	b.fails(1, "has no network of its own", "rdr", "add", "-p", "28082:80", "lone")
}

func TestTraceNeedsJails(t *testing.T) {
	b := newBed(t)
	b.must("run", "-d", "--name", "c1", "box", "sleep", "1000")
	b.fails(1, "dwatch(1), which FreeBSD has", "trace", "c1")
	b.fails(1, "dwatch(1), which FreeBSD has", "trace", "c1", "--", "-X", "open")
	b.fails(2, `stand behind "--"`, "trace", "c1", "open")
	b.fails(1, "there is no container c2; did you mean c1?", "trace", "c2")
}

func TestPurgeAndEvents(t *testing.T) {
	b := newBed(t)
	b.must("run", "box", "true")
	if got := b.must("purge"); !strings.HasSuffix(got, "freed") {
		t.Errorf("purge gave %q", got)
	}
	got := b.must("events", "--since", "1h", "--until", "0s", "-f", "type=container", "--format", "{{.Action}}")
	if want := "create\nattach\nstart\ndie\ndestroy"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	b.fails(2, "is no time", "events", "--since", "yesterday")
}

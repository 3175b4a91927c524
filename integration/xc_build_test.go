package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestXCBuild builds with what Docker's classic protocol has no word for, and with what RUN is to have.
func TestXCBuild(t *testing.T) {
	e := start(t)
	build := func(text string, args ...string) result {
		t.Helper()
		dir := recipe{text: text}.plant(t)
		return e.xcFeed("", append(append([]string{"build", "-t", "made"}, args...), dir)...)
	}
	// gave is what a build's RUN wrote into /f.
	gave := func(command string, args ...string) string {
		t.Helper()
		if r := build("FROM testbox\nRUN "+command+" > /f\n", append(args, "--no-cache")...); r.code != 0 {
			t.Fatalf("%s %v: %d\n%s%s", command, args, r.code, r.out, r.err)
		}
		return strings.TrimSpace(e.must("run", "--rm", "made", "cat", "/f"))
	}
	names := gave("cat /etc/resolv.conf", "--dns", "192.0.2.53", "--dns-search", "example.test")
	if !strings.Contains(names, "192.0.2.53") && !strings.Contains(names, "nameserver") || !strings.Contains(names, "search example.test") {
		t.Errorf("with a name server of its own RUN has %q", names)
	}
	if got := gave("cat /etc/resolv.conf", "--empty-dns"); strings.Contains(got, "nameserver") {
		t.Errorf("without name servers RUN has %q", got)
	}
	if got := gave("ifaddrs", "--network", "none"); strings.Contains(got, "eth0") {
		t.Errorf("without a network RUN has %q", got)
	}
	e.must("network", "create", "--subnet", "10.199.77.0/24", "shelf")
	if got := gave("ifaddrs", "--network", "shelf"); !strings.Contains(got, "10.199.77.") {
		t.Errorf("in a network RUN has %q", got)
	}
	e.must("network", "rm", "shelf")
	if got := gave("cat /etc/hosts", "--add-host", "peer.example:192.0.2.7"); !strings.Contains(got, "192.0.2.7\tpeer.example") {
		t.Errorf("the hosts are %q", got)
	}
	for _, bad := range [][]string{{"--network", "none", "--network", "host"}, {"--empty-dns", "--dns", "192.0.2.1"}, {"--secret", "src=x"}} {
		if r := build("FROM testbox\n", bad...); r.code == 0 {
			t.Errorf("%v is accepted", bad)
		}
	}

	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := gave("--mount=type=secret,id=token cat /run/secrets/token", "--secret", "id=token,src="+secret); got != "hush" {
		t.Errorf("the secret is %q", got)
	}
	if got := gave("--mount=type=secret,id=token,env=TOKEN echo $TOKEN", "--secret", "id=token,src="+secret); got != "hush" {
		t.Errorf("the secret as a variable is %q", got)
	}
	for _, where := range []string{e.must("history", "--no-trunc", "made"), e.must("image", "inspect", "made"), e.must("run", "--rm", "made", "env")} {
		if strings.Contains(where, "hush") {
			t.Errorf("a secret left a trace: %s", where)
		}
	}
	if r := build("FROM testbox\nRUN --mount=type=secret,id=token,required true\n"); r.code != 1 || !strings.Contains(r.err, "secret token: not found") {
		t.Errorf("a secret that is missing: %d %s", r.code, r.err)
	}
	agent := sshAgent(t)
	if runtime.GOOS == "freebsd" {
		r := build("FROM testbox\nRUN --mount=type=ssh true\n", "--ssh", "default="+agent)
		if r.code == 0 || !strings.Contains(r.err, "nullfs(5) takes directories and plain files alone") {
			t.Errorf("an agent, whose socket cannot be mounted: %d %s", r.code, r.err)
		}
	} else {
		if got := gave("--mount=type=ssh send unix $SSH_AUTH_SOCK hello", "--ssh", "default="+agent); got != "the agent got hello" {
			t.Errorf("of the agent came %q", got)
		}
		if got := gave("--mount=type=ssh,id=other,target=/tmp/agent send unix /tmp/agent hello", "--ssh", "default="+secret, "--ssh", "other="+agent); got != "the agent got hello" {
			t.Errorf("of another agent came %q", got)
		}
	}
	if got := gave("--mount=type=ssh echo \"[$SSH_AUTH_SOCK]\""); got != "[]" {
		t.Errorf("without an agent the variable is %s", got)
	}
	for _, c := range []struct{ mount, socket, want string }{
		{"type=ssh,required", "", "unset ssh forward key default"}, {"type=ssh", "default=" + secret, "is no socket"}, {"type=ssh", "default=/no/such", "no such file"},
	} {
		var args []string
		if c.socket != "" {
			args = []string{"--ssh", c.socket}
		}
		if r := build("FROM testbox\nRUN --mount="+c.mount+" true\n", append(args, "--no-cache")...); r.code != 1 || !strings.Contains(r.err, c.want) {
			t.Errorf("%v: %d %s", c, r.code, r.err)
		}
	}
	e.must("rmi", "-f", "made")
}

// sshAgent answers whoever connects to its socket, and returns the socket's path.
func sshAgent(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "xc") // short, because socket paths are
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "agent")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 64)
			if n, err := c.Read(buf); err == nil {
				fmt.Fprintf(c, "the agent got %s", buf[:n])
			}
			c.Close()
		}
	}()
	return path
}

// The state before a step that failed can be entered, also after the cache was pruned.
func TestXCBuildKeepsTheLastState(t *testing.T) {
	e := start(t)
	dir := recipe{text: "FROM testbox AS a\nRUN echo here > /here\nFROM testbox\nCOPY --from=a /here /there\nRUN exit 3\n"}.plant(t)
	r := e.xcFeed("", "build", "--debug", "-t", "never", dir)
	kept := regexp.MustCompile(`The state before "RUN exit 3" is kept as the image ([0-9a-f]{12})\.`).FindStringSubmatch(r.err)
	if r.code != 1 || kept == nil {
		t.Fatalf("%d\n%s%s", r.code, r.out, r.err)
	}
	e.must("builder", "prune", "-a", "-f")
	if got := e.xc("run", "--rm", kept[1], "cat", "/there"); got != "here" {
		t.Errorf("it holds %q", got)
	}
	e.xc("rmi", kept[1])
	e.must("builder", "prune", "-a", "-f")
	if got := e.must("images", "-a", "--format", "{{.Repository}}"); got != "testbox" {
		t.Errorf("in the end there are %q", got)
	}
	if r := e.xcFeed("", "build", "-t", "never", dir); r.code != 1 || strings.Contains(r.err, "is kept") {
		t.Errorf("without --debug: %d %s", r.code, r.err)
	}
}

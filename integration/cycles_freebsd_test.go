package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"
)

// kernel lists all that a container can leave in the kernel, whoever made it; of anchors' rules the daemon's own.
func kernel(t *testing.T, owner string) []string {
	t.Helper()
	look := [][]string{
		{"jls", "-d", "name"}, {"mount", "-p"}, {"ifconfig", "-a"}, {"zfs", "list", "-H", "-t", "all", "-o", "name"}, {"rctl"}, {"devfs", "rule", "showsets"}, {"pfctl", "-q", "-v", "-s", "Anchors"},
	}
	all := rules(t, owner)
	for _, argv := range look {
		out, err := output(argv[0], argv[1:]...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
		for line := range strings.Lines(out) {
			all = append(all, argv[0]+" "+strings.TrimSpace(line))
		}
	}
	tables, err := output("pfctl", "-q", "-s", "Tables")
	if err != nil {
		t.Fatalf("pfctl: %v\n%s", err, tables)
	}
	for _, name := range strings.Fields(tables) {
		out, err := output("pfctl", "-q", "-t", name, "-T", "show")
		if err != nil {
			t.Fatalf("pfctl: %v\n%s", err, out)
		}
		all = append(all, "table "+name+" "+strings.Join(strings.Fields(out), " "))
	}
	return all
}

// TestCyclesLeaveNothing starts, stops and removes containers of several kinds, and compares the whole kernel before and after.
// XC_RUNS sets their number.
func TestCyclesLeaveNothing(t *testing.T) {
	e := start(t)
	n := runs(t, 12)
	c := e.client()
	for i := range len(kinds) {
		cycle(t, c, i) // what they share is made once, such as a set of device rules
	}
	settled := func() (all []string) {
		all = kernel(t, e.owner())
		for range int(kit.patience) * 60 { // a removed jail goes with its last connection, which takes a minute
			if !strings.Contains(strings.Join(all, "\n"), "jls xc-") {
				break
			}
			time.Sleep(time.Second)
			all = kernel(t, e.owner())
		}
		return all
	}
	before, inState := settled(), e.footprint()
	for i := range n {
		cycle(t, c, i)
	}
	if diff := cmp.Diff(before, settled()); diff != "" {
		t.Errorf("after %d cycles (-before +now):\n%s", n, diff)
	}
	e.asBefore(inState)
}

// kinds are the containers that go through a cycle: what they ask for beyond being run.
var kinds = []func(*container.Config, *container.HostConfig){
	func(*container.Config, *container.HostConfig) {},
	func(_ *container.Config, h *container.HostConfig) {
		h.PortBindings = nat.PortMap{"80/tcp": {{HostIP: "127.0.0.1"}}, "53/udp": {{}}}
	},
	func(c *container.Config, h *container.HostConfig) {
		c.Volumes, h.ReadonlyRootfs, h.Tmpfs = map[string]struct{}{"/data": {}}, true, map[string]string{"/t": "size=1m"}
	},
	func(c *container.Config, h *container.HostConfig) {
		c.Labels, h.PortBindings = map[string]string{"xc.vnet": "false"}, nat.PortMap{"80/tcp": {{}}}
	},
	func(c *container.Config, h *container.HostConfig) {
		pids := int64(100)
		c.Labels, h.Memory, h.PidsLimit = map[string]string{"xc.devfs.a": "path bpf* unhide", "xc.tap": "LINK"}, 64<<20, &pids
	},
	func(_ *container.Config, h *container.HostConfig) { h.NetworkMode = "none" },
}

func cycle(t *testing.T, c *client.Client, i int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
	defer cancel()
	config, host := &container.Config{Image: "testbox", Cmd: []string{"sleep", "100000"}}, &container.HostConfig{}
	kinds[i%len(kinds)](config, host)
	made, err := c.ContainerCreate(ctx, config, host, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	now := 0
	if err := c.ContainerStop(ctx, made.ID, container.StopOptions{Timeout: &now}); err != nil {
		t.Fatal(err)
	}
	if err := c.ContainerRemove(ctx, made.ID, container.RemoveOptions{RemoveVolumes: true}); err != nil {
		t.Fatal(err)
	}
}

// TestFlushedRulesComeBack flushes the daemon's anchors, as "pfctl -F all" would with all others: it restates them.
func TestFlushedRulesComeBack(t *testing.T) {
	e := start(t)
	e.must("run", "-d", "--name", "web", "-p", "80", "testbox", "httpd", ":80")
	before := rules(t, e.owner())
	if len(before) == 0 {
		t.Skip("pf is off")
	}
	for _, anchor := range []string{"xc-rdr", "xc-nat", "xc"} {
		if out, err := output("pfctl", "-q", "-a", anchor+"/"+e.owner(), "-F", "all"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if left := rules(t, e.owner()); len(left) > 0 {
		t.Fatalf("not flushed: %q", left)
	}
	var diff string
	for end := time.Now().Add(kit.patience * time.Minute); ; time.Sleep(time.Second) { // it looks every half minute
		if diff = cmp.Diff(before, rules(t, e.owner())); diff == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not as before the flush (-before +now):\n%s", diff)
		}
	}
}

package nativeapi_test

import (
	"context"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/enginetest"
	"github.com/xcengine/xc/engine/nativeapi"
	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// users are clients of one daemon: root, and two users with the same rights, of whom the policy knows.
type users struct {
	root, alice, bob *client.Client
	stranger         *client.Client
}

const (
	alice    = 1001
	bob      = 1002
	stranger = 1003
)

// granted are rights that a test may exchange while the daemon asks for them.
func granted(r nativeapi.Rights) *atomic.Pointer[nativeapi.Rights] {
	var p atomic.Pointer[nativeapi.Rights]
	p.Store(&r)
	return &p
}

func newUsers(t *testing.T, rights *atomic.Pointer[nativeapi.Rights]) users {
	t.Helper()
	s := enginetest.Services(enginetest.Daemon(t))
	policy := func(uid int) (nativeapi.Rights, bool) { return *rights.Load(), uid == alice || uid == bob }
	as := func(uid int) *client.Client { return client.New(enginetest.ServeWith(t, s, uid, policy)) }
	return users{root: as(0), alice: as(alice), bob: as(bob), stranger: as(stranger)}
}

var sleeper = wire.ContainerCreate{Image: "box", EntryPoint: "sleep", Args: []string{"1000"}, Network: wire.NetworkWish{Mode: "none"}}

func named(name string) wire.ContainerCreate {
	w := sleeper
	w.Name = name
	return w
}

func TestStrangersHaveNothing(t *testing.T) {
	u := newUsers(t, granted(nativeapi.Rights{}))
	_, version := u.stranger.Version(t.Context())
	_, list := u.stranger.Containers(t.Context(), nil)
	_, create := u.stranger.CreateContainer(t.Context(), sleeper)
	for what, err := range map[string]error{"version": version, "list": list, "create": create, "reload": u.stranger.ReloadNetworks(t.Context())} {
		if engine.KindOf(err) != engine.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestContainersOfOnesOwn does everything that can be done with a container as its owner, and as another user.
func TestContainersOfOnesOwn(t *testing.T) {
	ctx := t.Context()
	u := newUsers(t, granted(nativeapi.Rights{}))
	made, err := u.alice.CreateContainer(ctx, named("mine"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.root.CreateContainer(ctx, named("root")); err != nil {
		t.Fatal(err)
	}
	// "removed" comes last: the owner's is gone then.
	operations := []struct {
		name string
		do   func(c *client.Client, ref string) error
	}{
		{"start", func(c *client.Client, ref string) error { return c.StartContainer(ctx, ref) }},
		{"inspect", func(c *client.Client, ref string) error { _, err := c.Container(ctx, ref, true); return err }},
		{"exec", func(c *client.Client, ref string) error {
			_, err := c.Exec(ctx, ref, wire.Exec{Args: []string{"true"}}, client.Streams{})
			return err
		}},
		{"exec detached", func(c *client.Client, ref string) error {
			_, err := c.ExecDetached(ctx, ref, wire.Exec{Args: []string{"true"}})
			return err
		}},
		{"logs", func(c *client.Client, ref string) error {
			return c.Logs(ctx, ref, client.LogQuery{Tail: -1}, nil, nil)
		}},
		{"top", func(c *client.Client, ref string) error { _, err := c.Processes(ctx, ref, nil); return err }},
		{"changes", func(c *client.Client, ref string) error { _, err := c.Changes(ctx, ref); return err }},
		{"stats", func(c *client.Client, ref string) error {
			for _, err := range c.Stats(ctx, ref, true) {
				return err
			}
			return nil
		}},
		{"stat", func(c *client.Client, ref string) error { _, err := c.StatPath(ctx, ref, "/etc"); return err }},
		{"read", func(c *client.Client, ref string) error {
			a, err := c.ReadFiles(ctx, ref, "/etc")
			if err == nil {
				err = a.Close()
			}
			return err
		}},
		{"write", func(c *client.Client, ref string) error {
			return c.WriteFiles(ctx, ref, "/etc", strings.NewReader(""), false)
		}},
		{"pause", func(c *client.Client, ref string) error { return c.PauseContainer(ctx, ref) }},
		{"unpause", func(c *client.Client, ref string) error { return c.UnpauseContainer(ctx, ref) }},
		{"rename", func(c *client.Client, ref string) error { return c.RenameContainer(ctx, ref, "other") }},
		{"restart", func(c *client.Client, ref string) error { return c.RestartContainer(ctx, ref, wire.Stop{}) }},
		{"kill", func(c *client.Client, ref string) error { return c.KillContainer(ctx, ref, "KILL") }},
		{"wait", func(c *client.Client, ref string) error { _, err := c.WaitContainer(ctx, ref, "", nil); return err }},
		{"stop", func(c *client.Client, ref string) error {
			if err := c.StartContainer(ctx, ref); err != nil {
				return err
			}
			return c.StopContainer(ctx, ref, wire.Stop{})
		}},
		{"remove", func(c *client.Client, ref string) error { return c.RemoveContainer(ctx, ref, true, false) }},
	}
	for _, op := range operations {
		for who, c := range map[string]*client.Client{"bob": u.bob, "alice": u.alice} {
			ref := made.ID
			if who == "alice" {
				ref = "root" // what is root's is not alice's either
			}
			if err := op.do(c, ref); engine.KindOf(err) != engine.NotFound {
				t.Errorf("%s of another's container by %s: %v", op.name, who, err)
			}
		}
		if err := op.do(u.alice, made.ID); err != nil {
			t.Errorf("%s by the owner: %v", op.name, err)
		}
	}
}

func TestListsHaveOnesOwn(t *testing.T) {
	u := newUsers(t, granted(nativeapi.Rights{}))
	for name, c := range map[string]*client.Client{"al": u.alice, "bo": u.bob, "ro": u.root} {
		if _, err := c.CreateContainer(t.Context(), named(name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]*client.Client{"al": u.alice, "bo": u.bob, "al bo ro": u.root} {
		all, err := c.Containers(t.Context(), url.Values{"all": {"1"}})
		if err != nil || len(all) != len(strings.Fields(name)) || len(all) == 1 && all[0].Name != name {
			t.Errorf("%s sees %v, %v", name, all, err)
		}
	}
}

// TestRights asserts of each right that it is refused without and given with it.
func TestRights(t *testing.T) {
	label := func(key, value string) func(*wire.ContainerCreate) {
		return func(w *wire.ContainerCreate) { w.Labels = map[string]string{key: value} }
	}
	rights := granted(nativeapi.Rights{})
	u := newUsers(t, rights)
	// What the machine in memory refuses for other reasons is told by another error than Forbidden.
	for name, c := range map[string]struct {
		rights nativeapi.Rights
		edit   func(*wire.ContainerCreate)
	}{
		"ports":      {nativeapi.Rights{Grants: []nativeapi.Grant{nativeapi.GrantPorts}}, func(w *wire.ContainerCreate) { w.Publish = []wire.Publish{{Port: 80, Proto: "tcp"}} }},
		"every port": {nativeapi.Rights{Grants: []nativeapi.Grant{nativeapi.GrantPorts}}, func(w *wire.ContainerCreate) { w.PublishAll = true }},
		"log elsewhere": {nativeapi.Rights{Grants: []nativeapi.Grant{nativeapi.Grant(engine.PrivilegeHost)}}, func(w *wire.ContainerCreate) {
			w.Log = wire.Log{Driver: "syslog", Options: map[string]string{"syslog-address": "udp://127.0.0.1:1514"}}
		}},
		"privileged":     {nativeapi.Rights{Grants: []nativeapi.Grant{nativeapi.GrantCapabilities}}, func(w *wire.ContainerCreate) { w.Privileged = true }},
		"capability":     {nativeapi.Rights{Grants: []nativeapi.Grant{nativeapi.GrantCapabilities}}, func(w *wire.ContainerCreate) { w.CapAdd = []string{"NET_ADMIN"} }},
		"volume":         {nativeapi.Rights{Volumes: []string{"data*"}}, func(w *wire.ContainerCreate) { w.Mounts = []wire.MountWish{{Source: "data1", Target: "/d"}} }},
		"host path":      {nativeapi.Rights{Grants: []nativeapi.Grant{"path"}}, func(w *wire.ContainerCreate) { w.Mounts = []wire.MountWish{{Source: "/etc", Target: "/d"}} }},
		"copy":           {nativeapi.Rights{Grants: []nativeapi.Grant{"path"}}, label(engine.LabelCopy, "/etc/hosts:/x")},
		"further layer":  {nativeapi.Rights{Grants: []nativeapi.Grant{"path"}}, label(engine.LabelExtraLayer+".2", "/x.tar")},
		"path by name":   {nativeapi.Rights{Grants: []nativeapi.Grant{"path"}}, label(engine.LabelVolume+"d", "/etc")},
		"volume by name": {nativeapi.Rights{Volumes: []string{"data"}}, label(engine.LabelVolume+"d", "data:ro")},
		"network": {nativeapi.Rights{Networks: []string{"bridge"}}, func(w *wire.ContainerCreate) {
			w.Network = wire.NetworkWish{Networks: []wire.NetworkJoin{{Network: "bridge"}}}
		}},
		"network as a mode": {nativeapi.Rights{Networks: []string{"bridge"}}, func(w *wire.ContainerCreate) { w.Network.Mode = "bridge" }},
		"default network":   {nativeapi.Rights{Networks: []string{"bridge"}}, func(w *wire.ContainerCreate) { w.Network.Mode = "" }},
		"host network":      {nativeapi.Rights{Grants: []nativeapi.Grant{"network"}}, func(w *wire.ContainerCreate) { w.Network.Mode = "host" }},
		"interface":         {nativeapi.Rights{Grants: []nativeapi.Grant{"network"}}, label(engine.LabelIP, "em0")},
		"jail":              {nativeapi.Rights{Grants: []nativeapi.Grant{"jail"}}, label(engine.LabelJail+"allow.mount", "1")},
		"stack":             {nativeapi.Rights{Grants: []nativeapi.Grant{"jail"}}, label(engine.LabelVNET, "1")},
		"jail, annotated":   {nativeapi.Rights{Grants: []nativeapi.Grant{"jail"}}, func(w *wire.ContainerCreate) { w.Annotations = map[string]string{engine.AnnotationJail + "path": "/"} }},
		"dataset":           {nativeapi.Rights{Grants: []nativeapi.Grant{"dataset"}}, label(engine.LabelDataset, "tank/a")},
		"device":            {nativeapi.Rights{Grants: []nativeapi.Grant{"device"}}, label(engine.LabelDevfs+"a", "path bpf unhide")},
	} {
		wish := sleeper
		c.edit(&wish)
		rights.Store(&nativeapi.Rights{})
		if _, err := u.alice.CreateContainer(t.Context(), wish); engine.KindOf(err) != engine.Forbidden {
			t.Errorf("%s without the right: %v", name, err)
		}
		rights.Store(&c.rights)
		if _, err := u.alice.CreateContainer(t.Context(), wish); engine.KindOf(err) == engine.Forbidden {
			t.Errorf("%s with the right: %v", name, err)
		}
	}
}

func TestNobodyTakesAnothersPlace(t *testing.T) {
	every := nativeapi.Rights{Grants: nativeapi.Grants(), Volumes: []string{"*"}, Networks: []string{"*"}}
	u := newUsers(t, granted(every))
	wish := sleeper
	for _, w := range []*map[string]string{&wish.Labels, &wish.Annotations} {
		wish.Labels, wish.Annotations = nil, nil
		*w = map[string]string{engine.LabelOwner: "1002"}
		if _, err := u.alice.CreateContainer(t.Context(), wish); engine.KindOf(err) != engine.Forbidden {
			t.Errorf("a container for bob: %v", err)
		}
	}
	if _, err := u.root.CreateContainer(t.Context(), named("root")); err != nil {
		t.Fatal(err)
	}
	joined := sleeper
	joined.Network.Mode = "container:root"
	if _, err := u.alice.CreateContainer(t.Context(), joined); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("the network of root's container: %v", err)
	}
	// Root can give a container to a user.
	given := named("given")
	given.Labels = map[string]string{engine.LabelOwner: "1002"}
	if _, err := u.root.CreateContainer(t.Context(), given); err != nil {
		t.Fatal(err)
	}
	if _, err := u.bob.Container(t.Context(), "given", false); err != nil {
		t.Error(err)
	}
	if _, err := u.alice.Container(t.Context(), "given", false); engine.KindOf(err) != engine.NotFound {
		t.Errorf("alice has bob's: %v", err)
	}
}

// TestManagersOnly asserts of operations upon the daemon's things who may do them.
func TestManagersOnly(t *testing.T) {
	none, images := newUsers(t, granted(nativeapi.Rights{})), newUsers(t, granted(nativeapi.Rights{Grants: []nativeapi.Grant{nativeapi.GrantImages, nativeapi.GrantPorts}}))
	for _, u := range []users{none, images} {
		if _, err := u.alice.CreateContainer(t.Context(), named("c1")); err != nil {
			t.Fatal(err)
		}
	}
	commit := func(c *client.Client) error {
		_, err := c.CommitContainer(t.Context(), "c1", wire.Commit{Ref: "made"})
		return err
	}
	if err := commit(none.alice); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("commit without the right: %v", err)
	}
	if err := commit(images.bob); engine.KindOf(err) != engine.NotFound {
		t.Errorf("commit of another's: %v", err)
	}
	if err := commit(images.alice); err != nil {
		t.Errorf("commit: %v", err)
	}
	port := []wire.Publish{{Port: 80, HostPort: 1, Proto: "tcp"}}
	if err := none.alice.Publish(t.Context(), "c1", port); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("publish without the right: %v", err)
	}
	if err := images.alice.Publish(t.Context(), "c1", port); engine.KindOf(err) == engine.Forbidden {
		t.Errorf("publish: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, purge := images.alice.Purge(ctx)
	var events error
	for _, events = range images.alice.Events(ctx, nil) {
		break
	}
	_, exec := images.alice.ExecDetached(ctx, "c1", wire.Exec{Args: []string{"true"}, Privileged: true})
	for what, err := range map[string]error{"purge": purge, "events": events, "reload": images.alice.ReloadNetworks(ctx), "privileged exec": exec} {
		if engine.KindOf(err) != engine.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestBuildsOfUsers asserts what a user with the right to build may not have a build do.
func TestBuildsOfUsers(t *testing.T) {
	rights := granted(nativeapi.Rights{})
	u := newUsers(t, rights)
	build := func(what wire.Build) (err error) {
		for _, err = range u.alice.Build(t.Context(), what, strings.NewReader("")) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	images := nativeapi.Rights{Grants: []nativeapi.Grant{nativeapi.GrantImages}}
	joined := wire.Build{Network: wire.NetworkWish{Networks: []wire.NetworkJoin{{Network: "bridge"}}}}
	for name, c := range map[string]struct {
		rights  nativeapi.Rights
		what    wire.Build
		refused bool
	}{
		"without the right":    {nativeapi.Rights{}, wire.Build{}, true},
		"with it":              {images, wire.Build{}, false},
		"no network":           {images, wire.Build{Network: wire.NetworkWish{Mode: "none"}}, false},
		"the host's network":   {images, wire.Build{Network: wire.NetworkWish{Mode: "host"}}, true},
		"another's network":    {images, wire.Build{Network: wire.NetworkWish{Mode: "container:root"}}, true},
		"a network":            {images, joined, true},
		"a network of its own": {nativeapi.Rights{Grants: images.Grants, Networks: []string{"bridge"}}, joined, false},
		"containers that stay": {images, wire.Build{Keep: true}, true},
		"an agent":             {images, wire.Build{SSH: map[string]string{"default": "/run/some.sock"}}, true},
	} {
		rights.Store(&c.rights)
		// What is not refused fails for want of a recipe.
		if err := build(c.what); err == nil || (engine.KindOf(err) == engine.Forbidden) != c.refused {
			t.Errorf("%s: %v, refused should be %v", name, err, c.refused)
		}
	}
}

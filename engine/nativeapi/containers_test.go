package nativeapi_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func TestLifeOfAContainer(t *testing.T) {
	c, ctx := newDaemon(t, 0), t.Context()
	made, err := c.CreateContainer(ctx, wire.ContainerCreate{Name: "web", Image: "box", Args: []string{"sleep", "1000"}, Network: wire.NetworkWish{Mode: "none"}, Labels: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateContainer(ctx, wire.ContainerCreate{Name: "web", Image: "box", Args: []string{"true"}})
	if !engine.HasReason(err, engine.ReasonNameTaken) {
		t.Errorf("the same name again: %v", err)
	}
	if err := c.StartContainer(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	all, err := c.Containers(ctx, url.Values{"label": {"a=b"}})
	if err != nil || len(all) != 1 || all[0].ID != made.ID || all[0].State != "running" || all[0].Process.Args[0] != "sleep" {
		t.Errorf("%+v, %v", all, err)
	}
	if err := c.RemoveContainer(ctx, "web", false, false); !engine.HasReason(err, engine.ReasonRunning) {
		t.Errorf("removal of a running container: %v", err)
	}
	if err := c.RenameContainer(ctx, "web", "site"); err != nil {
		t.Error(err)
	}
	if err := c.StopContainer(ctx, "site", wire.Stop{}); err != nil {
		t.Error(err)
	}
	w, err := c.WaitContainer(ctx, "site", "", nil)
	if err != nil || w.ExitCode != 143 {
		t.Errorf("wait gave %+v, %v", w, err)
	}
	one, err := c.Container(ctx, made.ID[:12], false)
	if err != nil || one.State != "exited" || one.Name != "site" || one.Finished == nil {
		t.Errorf("%+v, %v", one, err)
	}
	if err := c.RemoveContainer(ctx, "site", false, false); err != nil {
		t.Error(err)
	}
	if _, err := c.Container(ctx, "site", false); engine.KindOf(err) != engine.NotFound || err.Error() != "there is no container site" {
		t.Errorf("after removal: %v", err)
	}
}

// runTo creates a container, attaches, starts it and gives what it wrote.
func runTo(t *testing.T, c *client.Client, wish wire.ContainerCreate, input string) (code int, stdout, stderr string, err error) {
	t.Helper()
	wish.Image = "box"
	wish.Stdin, wish.Once = input != "", true
	made, err := c.CreateContainer(t.Context(), wish)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	s := client.Streams{Stdout: &out, Stderr: &errs}
	if input != "" {
		s.Stdin = strings.NewReader(input)
	}
	started := make(chan error, 1)
	s.Attached = func() error {
		go func() { started <- c.StartContainer(t.Context(), made.ID) }()
		return nil
	}
	code, err = c.Attach(t.Context(), made.ID, wire.Attach{Until: "next-exit"}, wish.TTY, s)
	if e := <-started; e != nil {
		t.Error(e)
	}
	return code, out.String(), errs.String(), err
}

func TestStreams(t *testing.T) {
	c := newDaemon(t, 0)
	if code, out, errs, err := runTo(t, c, wire.ContainerCreate{Args: []string{"echo", "hello"}}, ""); code != 0 || out != "hello\n" || errs != "" || err != nil {
		t.Errorf("%d %q %q %v", code, out, errs, err)
	}
	if code, out, errs, err := runTo(t, c, wire.ContainerCreate{Args: []string{"err", "oops"}}, ""); code != 0 || out != "" || errs != "oops\n" || err != nil {
		t.Errorf("%d %q %q %v", code, out, errs, err)
	}
	if code, _, _, err := runTo(t, c, wire.ContainerCreate{Args: []string{"exit", "3"}}, ""); code != 3 || err != nil {
		t.Errorf("%d %v", code, err)
	}
	text := strings.Repeat(strings.Repeat("x", 1023)+"\n", 400) // more than the window
	if _, out, _, err := runTo(t, c, wire.ContainerCreate{Args: []string{"cat"}}, text); out != text || err != nil {
		t.Errorf("%d bytes came back of %d, %v", len(out), len(text), err)
	}
}

func TestDetach(t *testing.T) {
	c := newDaemon(t, 0)
	for _, keys := range []string{"\x10q", "\x10\x11"} {
		code, _, _, err := runTo(t, c, wire.ContainerCreate{Args: []string{"sleep", "1000"}, TTY: true}, "abc"+keys+"lost")
		if err != client.ErrDetached || code != 0 {
			t.Errorf("after %q: %d, %v", keys, code, err)
		}
	}
	all, err := c.Containers(t.Context(), nil)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d run, %v", len(all), err)
	}
	var out bytes.Buffer
	code, err := c.Exec(t.Context(), all[0].ID, wire.Exec{Args: []string{"echo", "x"}}, client.Streams{Stdout: &out})
	if code != 0 || err != nil || out.String() != "x\n" {
		t.Errorf("exec: %d %q %v", code, out.String(), err)
	}
	_, err = c.Exec(t.Context(), all[0].ID, wire.Exec{Args: []string{"sleep", "1000"}, TTY: true}, client.Streams{Stdin: strings.NewReader("\x10q"), Stdout: &out})
	if err != client.ErrDetached {
		t.Errorf("leaving an exec: %v", err)
	}
	if _, err := c.Exec(t.Context(), all[0].ID, wire.Exec{Args: []string{"nosuch"}}, client.Streams{}); !engine.HasReason(err, engine.ReasonExecNotFound) {
		t.Errorf("exec of nothing: %v", err)
	}
}

func TestBadWishesAreToldAllAtOnce(t *testing.T) {
	c := newDaemon(t, 0)
	_, err := c.CreateContainer(t.Context(), wire.ContainerCreate{
		Env: []string{"novalue"}, WorkDir: "x", Restart: wire.Restart{Policy: "perhaps"}, Limits: wire.Limits{CPUs: -1},
		Publish: []wire.Publish{{Port: 80, Proto: "icmp"}, {Interface: "nosuch0", Port: 80, Proto: "tcp"}},
		Network: wire.NetworkWish{DNS: []string{"dns"}, Networks: []wire.NetworkJoin{{Network: "n", IPv4: "::1"}, {Network: "n"}}},
	})
	if engine.KindOf(err) != engine.Invalid {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{
		"image is missing", `"novalue"`, "directory x", "perhaps", "negative", "icmp", "missing network interface nosuch0", "dns is not an address",
		"::1 is not an address of IPv4", "network n is named twice",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in:\n%v", want, err)
		}
	}
}

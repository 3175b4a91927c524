package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// A container is made, started, and removed when it has ended.
func Example() {
	ctx, c := context.Background(), client.New("/var/run/xc.sock")
	made, err := c.CreateContainer(ctx, wire.ContainerCreate{
		Image: "testbox", EntryPoint: "echo", Args: []string{"hello"}, Network: wire.NetworkWish{Mode: "none"}, AutoRemove: true,
	})
	if errors.Is(err, engine.NotFound) {
		fmt.Println("there is no such image")
		return
	}
	code, err := c.Attach(ctx, made.ID, wire.Attach{Until: "removed"}, false, client.Streams{
		Stdout: os.Stdout, Stderr: os.Stderr,
		Attached: func() error { return c.StartContainer(ctx, made.ID) },
	})
	fmt.Println(code, err)
}

// The newest events of containers are shown until something goes wrong.
func ExampleClient_Events() {
	c := client.New("/var/run/xc.sock")
	for e, err := range c.Events(context.Background(), url.Values{"type": {"container"}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.Time, e.Action, e.ID)
	}
}

// A program runs in a container, and its exit code comes back.
func ExampleClient_Exec() {
	code, err := client.New("/var/run/xc.sock").Exec(context.Background(), "web", wire.Exec{Args: []string{"id", "-u"}}, client.Streams{Stdout: os.Stdout})
	if engine.HasReason(err, engine.ReasonExecNotFound) {
		fmt.Println("the container has no such program")
	}
	fmt.Println(code)
}

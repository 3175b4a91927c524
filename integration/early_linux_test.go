package integration

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

// A signal sent as soon as the start is answered ends a program that handles it, though it had not come to its handler.
func TestSignalRightAfterTheStart(t *testing.T) {
	e := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := e.client()
	for i := range 8 {
		name := "early" + strconv.Itoa(i)
		if _, err := c.ContainerCreate(ctx, &container.Config{Image: "testbox", Cmd: []string{"signals", "7"}}, nil, nil, nil, name); err != nil {
			t.Fatal(err)
		}
		if err := c.ContainerStart(ctx, name, container.StartOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := c.ContainerKill(ctx, name, "TERM"); err != nil {
			t.Fatal(err)
		}
		ended, failed := c.ContainerWait(ctx, name, container.WaitConditionNotRunning)
		select {
		case <-ended:
		case err := <-failed:
			t.Fatalf("container %d does not hear the signal: %v", i, err)
		}
		e.must("rm", name)
	}
}

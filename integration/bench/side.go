package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"
)

const (
	imageName = "xc-bench:latest"
	mark      = "xc.bench" // label of everything that is made here
)

// side is one engine.
type side struct {
	*client.Client
	name string
	pid  int // of the daemon, 0 when it is not ours
}

func newSide(name, host string) (*side, error) {
	c, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, err
	}
	return &side{Client: c, name: name}, nil
}

func (s *side) load(ctx context.Context, tar []byte) error {
	r, err := s.ImageLoad(ctx, bytes.NewReader(tar))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return errors.Join(err, r.Body.Close())
}

// clean removes what was made here.
func (s *side) clean(ctx context.Context) error {
	ours := filters.NewArgs(filters.Arg("label", mark))
	list, err := s.ContainerList(ctx, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range list {
		errs = append(errs, s.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	}
	_, err = s.NetworksPrune(ctx, ours)
	errs = append(errs, err)
	_, err = s.ImageRemove(ctx, imageName, image.RemoveOptions{Force: true})
	return errors.Join(append(errs, err, s.Close())...)
}

// create makes a container that runs args. dockerd publishes no port that is not exposed, so all that are published are.
func (s *side) create(ctx context.Context, host container.HostConfig, args ...string) (string, error) {
	cfg := container.Config{Image: imageName, Cmd: args, Labels: map[string]string{mark: ""}, ExposedPorts: nat.PortSet{}}
	for port := range host.PortBindings {
		cfg.ExposedPorts[port] = struct{}{}
	}
	c, err := s.ContainerCreate(ctx, &cfg, &host, &network.NetworkingConfig{}, nil, "")
	return c.ID, err
}

// started makes and starts a container; done removes it.
func (s *side) started(ctx context.Context, host container.HostConfig, args ...string) (id string, done func(*error), err error) {
	if id, err = s.create(ctx, host, args...); err != nil {
		return "", nil, err
	}
	done = func(err *error) {
		*err = errors.Join(*err, s.ContainerRemove(context.WithoutCancel(ctx), id, container.RemoveOptions{Force: true}))
	}
	if err = s.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		done(&err)
	}
	return id, done, err
}

// memory prints the resident memory of the daemon and of one container's shim.
func (s *side) memory(out io.Writer) (err error) {
	if s.pid == 0 {
		return nil
	}
	ctx := context.Background()
	fmt.Fprintf(out, "%-34s %12s\n", "resident, daemon", resident(s.pid))
	id, done, err := s.started(ctx, container.HostConfig{}, "sleep", "1000")
	if err != nil {
		return err
	}
	defer done(&err)
	c, err := s.ContainerInspect(ctx, id)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-34s %12s\n", "resident, shim of a container", resident(parent(c.State.Pid)))
	return nil
}

// resident reads a process's resident memory from /proc; "unknown" where there is none.
func resident(pid int) string { return procField(pid, "VmRSS:") }

func parent(pid int) int {
	var p int
	fmt.Sscan(procField(pid, "PPid:"), &p) //nolint:errcheck // 0 is an answer
	return p
}

func procField(pid int, key string) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

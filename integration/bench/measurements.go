package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"golang.org/x/sync/errgroup"
)

// measurement times one operation on one side. What it needs before and makes is not timed and is taken away.
type measurement struct {
	name   string
	rounds int // at most; 0: as many as asked for
	run    func(context.Context, *side) (time.Duration, error)
}

var measurements = []measurement{
	{"run", 0, func(ctx context.Context, s *side) (time.Duration, error) {
		return runOnce(ctx, s, container.HostConfig{})
	}},
	{"run without network", 0, func(ctx context.Context, s *side) (time.Duration, error) {
		return runOnce(ctx, s, container.HostConfig{NetworkMode: "none"})
	}},
	{"run with a published port", 0, func(ctx context.Context, s *side) (time.Duration, error) {
		return runOnce(ctx, s, container.HostConfig{PortBindings: nat.PortMap{"80/tcp": {{HostIP: "127.0.0.1"}}}})
	}},
	{"start", 0, startOnce},
	{"exec", 0, execOnce},
	{"stop", 0, stopOnce},
	{"network create and remove", 0, networkOnce},
	{"50 runs at once", 3, fiftyAtOnce},
	{"256 MB by 127.0.0.1", 0, transfer(byLoopback)},
	{"256 MB from outside", 0, transfer(fromOutside)},
	{"256 MB host to container", 0, transfer(fromHost)},
	{"256 MB container to container", 0, transfer(betweenContainers)},
	{"ps -a of 200", 0, psOf(200)},
	{"a million lines logged", 1, logWrite},
	{"a million lines read back", 1, logRead},
}

func timed(f func() error) (time.Duration, error) {
	begin := time.Now()
	err := f()
	return time.Since(begin), err
}

// runOnce creates, starts, waits for and removes a container that does nothing.
func runOnce(ctx context.Context, s *side, host container.HostConfig) (time.Duration, error) {
	return timed(func() error {
		id, err := s.create(ctx, host, "true")
		if err != nil {
			return err
		}
		result, failed := s.ContainerWait(ctx, id, container.WaitConditionNextExit)
		if err := s.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
			return errors.Join(err, s.ContainerRemove(ctx, id, container.RemoveOptions{Force: true}))
		}
		select {
		case err := <-failed:
			return err
		case <-result:
		}
		return s.ContainerRemove(ctx, id, container.RemoveOptions{})
	})
}

func startOnce(ctx context.Context, s *side) (d time.Duration, err error) {
	id, err := s.create(ctx, container.HostConfig{}, "sleep", "1000")
	if err != nil {
		return 0, err
	}
	d, err = timed(func() error { return s.ContainerStart(ctx, id, container.StartOptions{}) })
	return d, errors.Join(err, s.ContainerRemove(ctx, id, container.RemoveOptions{Force: true}))
}

func execOnce(ctx context.Context, s *side) (d time.Duration, err error) {
	id, done, err := s.started(ctx, container.HostConfig{}, "sleep", "1000")
	if err != nil {
		return 0, err
	}
	defer done(&err)
	return timed(func() error {
		x, err := s.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: []string{"true"}, AttachStdout: true})
		if err != nil {
			return err
		}
		a, err := s.ContainerExecAttach(ctx, x.ID, container.ExecStartOptions{})
		if err != nil {
			return err
		}
		defer a.Close()
		_, err = io.Copy(io.Discard, a.Reader)
		return err
	})
}

func stopOnce(ctx context.Context, s *side) (d time.Duration, err error) {
	id, done, err := s.started(ctx, container.HostConfig{}, "signals", "0")
	if err != nil {
		return 0, err
	}
	defer done(&err)
	time.Sleep(100 * time.Millisecond) // until it listens to signals
	return timed(func() error { return s.ContainerStop(ctx, id, container.StopOptions{}) })
}

func networkOnce(ctx context.Context, s *side) (time.Duration, error) {
	return timed(func() error {
		n, err := s.NetworkCreate(ctx, "xc-bench", network.CreateOptions{Labels: map[string]string{mark: ""}})
		if err != nil {
			return err
		}
		return s.NetworkRemove(ctx, n.ID)
	})
}

func fiftyAtOnce(ctx context.Context, s *side) (time.Duration, error) {
	return timed(func() error {
		var g errgroup.Group
		for range 50 {
			g.Go(func() error {
				_, err := runOnce(ctx, s, container.HostConfig{})
				return err
			})
		}
		return g.Wait()
	})
}

// psOf lists n containers that do not run; they are made once and stay until the end.
func psOf(n int) func(context.Context, *side) (time.Duration, error) {
	made := map[*side]bool{}
	return func(ctx context.Context, s *side) (time.Duration, error) {
		for i := 0; i < n && !made[s]; i++ {
			if _, err := s.create(ctx, container.HostConfig{NetworkMode: "none"}, "true"); err != nil {
				return 0, err
			}
		}
		made[s] = true
		return timed(func() error {
			list, err := s.ContainerList(ctx, container.ListOptions{All: true})
			if err == nil && len(list) < n {
				err = fmt.Errorf("%d listed", len(list))
			}
			return err
		})
	}
}

const manyLines = "1000000"

func logWrite(ctx context.Context, s *side) (time.Duration, error) {
	d, id, err := logged(ctx, s)
	if err != nil {
		return 0, err
	}
	return d, s.ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
}

// logged runs a container that writes many lines to its end.
func logged(ctx context.Context, s *side) (time.Duration, string, error) {
	id, err := s.create(ctx, container.HostConfig{NetworkMode: "none"}, "lines", manyLines, "0", "50")
	if err != nil {
		return 0, "", err
	}
	d, err := timed(func() error {
		result, failed := s.ContainerWait(ctx, id, container.WaitConditionNextExit)
		if err := s.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
			return err
		}
		select {
		case err := <-failed:
			return err
		case <-result:
			return nil
		}
	})
	return d, id, err
}

func logRead(ctx context.Context, s *side) (d time.Duration, err error) {
	_, id, err := logged(ctx, s)
	if err != nil {
		return 0, err
	}
	d, err = timed(func() error {
		r, err := s.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true})
		if err != nil {
			return err
		}
		defer r.Close()
		n, err := io.Copy(io.Discard, r)
		if err == nil && n < 50_000_000 {
			err = fmt.Errorf("only %d bytes came", n)
		}
		return err
	})
	return d, errors.Join(err, s.ContainerRemove(ctx, id, container.RemoveOptions{Force: true}))
}

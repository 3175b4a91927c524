// Reaper stands in for Testcontainers' reaper, whose image cannot be had where no image is pulled: it speaks the same protocol on
// port 8080 and uses the engine in the same way, through a socket that is mounted at /var/run/docker.sock.
//
// A client connects and writes lines of a query's form, "label=KEY=VALUE&label=…"; each is answered "ACK". Once the last
// client has gone, and none came back within RYUK_RECONNECTION_TIMEOUT (a duration, 10s when not set), everything that matches
// one of the lines is removed and the program ends. It ends as well when no client comes within RYUK_CONNECTION_TIMEOUT (60s).
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "reaper:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	first, err := duration("RYUK_CONNECTION_TIMEOUT", time.Minute)
	if err != nil {
		return err
	}
	again, err := duration("RYUK_RECONNECTION_TIMEOUT", 10*time.Second)
	if err != nil {
		return err
	}
	docker, err := client.NewClientWithOpts(client.WithHost("unix:///var/run/docker.sock"), client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	defer docker.Close()
	if _, err := docker.Ping(ctx); err != nil {
		return err
	}
	l, err := net.Listen("tcp", ":8080")
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	fmt.Println("Started")
	r := reaper{condemned: map[string]filters.Args{}, changed: make(chan int)}
	go r.accept(ctx, l)
	r.wait(ctx, first, again)
	return r.reap(context.WithoutCancel(ctx), docker)
}

func duration(name string, otherwise time.Duration) (time.Duration, error) {
	s := os.Getenv(name)
	if s == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}

// reaper knows what its clients want removed.
type reaper struct {
	mu        sync.Mutex
	condemned map[string]filters.Args // by the line that said so
	changed   chan int                // 1 for a client that came, -1 for one that went
}

// accept serves clients until the listener is closed.
func (r *reaper) accept(ctx context.Context, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			r.tell(ctx, 1)
			defer r.tell(ctx, -1)
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				if q, err := url.ParseQuery(lines.Text()); err == nil && len(q) > 0 {
					r.condemn(lines.Text(), q)
				}
				if _, err := fmt.Fprintln(conn, "ACK"); err != nil {
					return
				}
			}
		}()
	}
}

func (r *reaper) tell(ctx context.Context, n int) {
	select {
	case r.changed <- n:
	case <-ctx.Done():
	}
}

func (r *reaper) condemn(line string, q url.Values) {
	args := filters.NewArgs()
	for key, values := range q {
		for _, v := range values {
			args.Add(key, v)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.condemned[line] = args
}

// wait returns when no client is there and none is expected any more.
func (r *reaper) wait(ctx context.Context, first, again time.Duration) {
	clients := 0
	alone := time.NewTimer(first)
	for {
		select {
		case n := <-r.changed:
			if clients += n; clients > 0 {
				alone.Stop()
			} else {
				alone.Reset(again)
			}
		case <-alone.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// reap removes containers first, then what they used.
func (r *reaper) reap(ctx context.Context, docker *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, args := range r.condemned {
		containers, err := docker.ContainerList(ctx, container.ListOptions{All: true, Filters: args})
		errs = append(errs, err)
		for _, c := range containers {
			errs = append(errs, docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
		}
		networks, err := docker.NetworkList(ctx, network.ListOptions{Filters: args})
		errs = append(errs, err)
		for _, n := range networks {
			errs = append(errs, docker.NetworkRemove(ctx, n.ID))
		}
		volumes, err := docker.VolumeList(ctx, volume.ListOptions{Filters: args})
		errs = append(errs, err)
		for _, v := range volumes.Volumes {
			errs = append(errs, docker.VolumeRemove(ctx, v.Name, true))
		}
		images, err := docker.ImageList(ctx, image.ListOptions{Filters: args})
		errs = append(errs, err)
		for _, i := range images {
			_, err := docker.ImageRemove(ctx, i.ID, image.RemoveOptions{Force: true})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

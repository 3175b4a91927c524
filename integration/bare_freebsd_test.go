package integration

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// rounds is how often each side of a comparison is measured; the median counts.
const rounds = 9

// BenchmarkBesideBareCommands compares create, start, wait and remove of a container, without a network and on the default one, with
// the same done by zfs(8), mount(8), jail(8) and jexec(8). It needs a pool and a daemon that uses it, see xc.conf.
func BenchmarkBesideBareCommands(b *testing.B) {
	e := start(b)
	c := e.client()
	pools, err := output("zpool", "list", "-H", "-o", "name")
	if err != nil || pools == "" {
		b.Skipf("this host has no pool: %s", pools)
	}
	pool, _, _ := strings.Cut(pools, "\n")
	bare := newBare(b, e, pool+"/xcbare"+e.owner())
	var took [3][]time.Duration
	for range rounds {
		for i, run := range []func(){bare.run, func() { cycleOf(b, c, "none") }, func() { cycleOf(b, c, "bridge") }} {
			began := time.Now()
			run()
			took[i] = append(took[i], time.Since(began))
		}
	}
	for i, name := range []string{"bare", "none", "bridge"} {
		slices.Sort(took[i])
		median := took[i][rounds/2]
		b.ReportMetric(float64(median.Milliseconds()), name+"-ms")
		b.ReportMetric(float64(median)/float64(took[0][rounds/2]), name+"/bare")
	}
}

// cycleOf is one container's life.
func cycleOf(b *testing.B, c *client.Client, network string) {
	ctx := context.Background()
	made, err := c.ContainerCreate(ctx, &container.Config{Image: "testbox", Cmd: []string{"true"}}, &container.HostConfig{NetworkMode: container.NetworkMode(network)}, nil, nil, "")
	if err != nil {
		b.Fatal(err)
	}
	ended, failed := c.ContainerWait(ctx, made.ID, container.WaitConditionNextExit)
	if err := c.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		b.Fatal(err)
	}
	select {
	case end := <-ended:
		if end.StatusCode != 0 {
			b.Fatalf("exit code %d", end.StatusCode)
		}
	case err := <-failed:
		b.Fatal(err)
	}
	if err := c.ContainerRemove(ctx, made.ID, container.RemoveOptions{}); err != nil {
		b.Fatal(err)
	}
}

// bare is a root file system to be cloned.
type bare struct {
	b       *testing.B
	dataset string
}

func newBare(b *testing.B, e *engine, dataset string) bare {
	w := bare{b, dataset}
	w.must("zfs", "create", "-o", "atime=off", dataset)
	b.Cleanup(func() { w.must("zfs", "destroy", "-r", dataset) })
	w.must("zfs", "create", dataset+"/root")
	id := e.must("create", "testbox")
	tar := exec.Command("tar", "-xf", "-", "-C", w.path("root"))
	export := e.command(b.Context(), "export", id)
	var err error
	if tar.Stdin, err = export.StdoutPipe(); err != nil {
		b.Fatal(err)
	}
	if err := tar.Start(); err != nil {
		b.Fatal(err)
	}
	if err := export.Run(); err != nil {
		b.Fatal(err)
	}
	if err := tar.Wait(); err != nil {
		b.Fatal(err)
	}
	e.must("rm", id)
	w.must("mkdir", "-p", w.path("root")+"/dev")
	w.must("zfs", "snapshot", dataset+"/root@0")
	return w
}

func (w bare) path(name string) string { return "/" + w.dataset + "/" + name }

func (w bare) must(argv ...string) {
	if out, err := output(argv[0], argv[1:]...); err != nil {
		w.b.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

// run is the sequence that a script would have.
func (w bare) run() {
	root := w.path("run")
	w.must("zfs", "clone", w.dataset+"/root@0", w.dataset+"/run")
	w.must("mount", "-t", "devfs", "devfs", root+"/dev")
	w.must("mount", "-t", "fdescfs", "fdesc", root+"/dev/fd")
	w.must("jail", "-c", "name=xcbare", "path="+root, "vnet=new", "persist")
	w.must("jexec", "xcbare", "/bin/true")
	w.must("jail", "-r", "xcbare")
	w.must("umount", root+"/dev/fd")
	w.must("umount", root+"/dev")
	w.must("zfs", "destroy", w.dataset+"/run")
}

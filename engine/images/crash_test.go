package images

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/db"
	"github.com/xcengine/xc/engine/layers"
	layercopy "github.com/xcengine/xc/engine/layers/copy"
	"github.com/xcengine/xc/engine/registry"
	"github.com/xcengine/xc/imageformat/archive"
	"github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

// crashWorld is what a process of the crash test works on.
type crashWorld struct {
	svc        *Service
	store      *layers.Store
	containers *memoryContainers
	close      func()
}

const crashContainer = engine.ContainerID("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")

func openCrashWorld(dir string) (*crashWorld, error) {
	ctx := context.Background()
	kept, err := db.Open(ctx, filepath.Join(dir, "xc.db"))
	if err != nil {
		return nil, err
	}
	driver, err := layercopy.Open(ctx, filepath.Join(dir, "layers", "copy"))
	if err != nil {
		return nil, err
	}
	store, err := layers.New(ctx, layers.Config{Driver: driver, Dir: filepath.Join(dir, "layers")})
	if err != nil {
		return nil, err
	}
	client, err := registry.New(registry.Config{})
	if err != nil {
		return nil, err
	}
	w := &crashWorld{store: store, containers: &memoryContainers{}, close: func() { store.Close(); kept.Close() }}
	var images Store = kept
	var applied Layers = store.Layers()
	if n, err := strconv.Atoi(os.Getenv("XC_IMAGES_STEPS")); err == nil {
		steps := new(deadly)
		steps.left.Store(int64(n))
		images, applied = deadlyStore{images, steps}, deadlyLayers{applied, steps}
	}
	w.svc, err = New(Config{
		Dir: filepath.Join(dir, "blobs"), Host: amd64, Store: images, Layers: applied, Containers: w.containers,
		Events: &memoryEvents{}, Registry: client, RetryTick: time.Millisecond,
	})
	return w, err
}

// deadly ends the process, as kill -9 does, when so many steps were made.
type deadly struct{ left atomic.Int64 }

func (d *deadly) step() {
	if d.left.Add(-1) == 0 {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it comes
	}
}

// deadlyStore and deadlyLayers have a step before and one after each change.
type (
	deadlyStore struct {
		Store
		*deadly
	}
	deadlyLayers struct {
		Layers
		*deadly
	}
)

func (d deadlyStore) ChangeImages(ctx context.Context, change engine.ImageChange) error {
	d.step()
	defer d.step()
	return d.Store.ChangeImages(ctx, change)
}

func (d deadlyLayers) Remove(ctx context.Context, id engine.LayerID) error {
	d.step()
	defer d.step()
	return d.Layers.Remove(ctx, id)
}

// container makes a container of an image whose root has a file more.
func (w *crashWorld) container(ref string) error {
	ctx := context.Background()
	img, err := w.svc.Lookup(ctx, ref, nil)
	if err != nil {
		return err
	}
	if err := w.store.Roots().Create(ctx, crashContainer, img.Top, nil); err != nil {
		return err
	}
	root, err := w.store.Roots().Mount(ctx, crashContainer)
	if err != nil {
		return err
	}
	w.containers.all = []engine.Container{{
		ID: crashContainer, Name: "web", Image: img.ID, Platform: amd64, Spec: engine.Spec{Process: engine.ProcessSpec{Cmd: []string{"x"}}},
	}}
	return os.WriteFile(filepath.Join(root, "made"), []byte(noiseText(300_000)), 0o600)
}

// act does one thing of the crash test.
func (w *crashWorld) act(what, ref, tar string) error {
	ctx := context.Background()
	switch what {
	case "pull":
		return w.svc.Pull(ctx, pullRequest(ref), nil)
	case "push":
		return w.svc.Push(ctx, engine.PushRequest{Ref: ref}, nil)
	case "load":
		f, err := os.Open(tar)
		if err != nil {
			return err
		}
		defer f.Close()
		return w.svc.Load(ctx, f, nil, nil)
	case "commit":
		if err := w.container(ref); err != nil {
			return err
		}
		_, err := w.svc.Commit(ctx, engine.CommitRequest{Container: "web", Ref: "committed:1"})
		return err
	case "import":
		f, err := os.Open(tar)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = w.svc.Import(ctx, engine.ImportRequest{Ref: "imported:1"}, f)
		return err
	case "prune":
		_, _, err := w.svc.Prune(ctx, engine.PruneQuery{All: true})
		return err
	}
	return fmt.Errorf("no %q", what)
}

// TestMain runs the process that is killed when it is asked to.
func TestMain(m *testing.M) {
	if what := os.Getenv("XC_IMAGES_ACT"); what != "" {
		w, err := openCrashWorld(os.Getenv("XC_IMAGES_DIR"))
		if err == nil {
			fmt.Println("begun")
			err = w.act(what, os.Getenv("XC_IMAGES_REF"), os.Getenv("XC_IMAGES_TAR"))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killedAct runs a thing in a process of its own and kills it some time after it has begun; without a time it lets it end.
// It tells how long the thing went on, and whether it ended by itself.
func killedAct(t *testing.T, dir, what, ref, tar string, after time.Duration) (took time.Duration, ended bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "XC_IMAGES_ACT="+what, "XC_IMAGES_DIR="+dir, "XC_IMAGES_REF="+ref, "XC_IMAGES_TAR="+tar)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	began := time.Now()
	if after > 0 && line != "" {
		timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
		defer timer.Stop()
	}
	err = cmd.Wait()
	if err != nil && cmd.ProcessState.ExitCode() > 0 {
		t.Fatalf("%s: %v: %s", what, err, said.String())
	}
	return time.Since(began), err == nil
}

func crashImage(n int) imagetest.Image {
	return imagetest.New(nil, imagetest.Tar(imagetest.File("a", noiseText(n))), imagetest.Tar(imagetest.File("b", noiseText(n+100_000))))
}

func TestKilledAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	net := newWorld(t)
	pulled := crashImage(300_000)
	net.serve(net.host+"/x", "1", pulled)
	for _, what := range []string{"pull", "load", "import", "push", "commit", "prune"} {
		t.Run(what, func(t *testing.T) {
			dir, tar, ref, img := t.TempDir(), filepath.Join(t.TempDir(), "tar"), net.host+"/x:1", pulled
			other, like := ref, img
			if what == "push" { // of what the registry does not have yet
				ref, img, other, like = net.host+"/pushed:1", crashImage(310_000), net.host+"/pushed:2", crashImage(320_000)
			}
			setUp := func(dir, ref string, img imagetest.Image) {
				writeFile(t, tar, string(img.Archive(ref)))
				switch what {
				case "import":
					writeFile(t, tar, string(imagetest.Compress(imagetest.Tar(imagetest.File("c", noiseText(700_000))), layer.Gzip)))
				case "push", "commit", "prune":
					killedAct(t, dir, "load", ref, tar, 0)
				}
			}
			// How long it takes undisturbed tells when its middle is.
			rehearsal := t.TempDir()
			setUp(rehearsal, other, like)
			took, _ := killedAct(t, rehearsal, what, other, tar, 0)
			setUp(dir, ref, img)
			ended := 0
			const kills = 12
			for n := range kills {
				after := max(time.Millisecond, took*time.Duration(n)/kills)
				if _, whole := killedAct(t, dir, what, ref, tar, after); whole {
					ended++
				}
				if what == "prune" {
					setUp(dir, ref, img)
				}
			}
			t.Logf("undisturbed it takes %v; %d of %d ended before they were killed", took, ended, kills)
			w, err := openCrashWorld(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			w.check(t)
			if err := w.act(what, ref, tar); err != nil {
				t.Fatalf("in the end: %v", err)
			}
			w.check(t)
			if what == "push" {
				tag := must(name.NewTag(ref, name.Insecure))
				there := must(remote.Image(tag))
				if err := validate.Image(there); err != nil {
					t.Errorf("at the registry: %v", err)
				}
				if got := must(there.ConfigName()).String(); got != img.ID().String() {
					t.Errorf("at the registry is %s", got)
				}
			}
			w.containers.all = nil
			if err := w.store.Roots().Remove(t.Context(), crashContainer); err != nil {
				t.Fatal(err)
			}
			if err := w.act("prune", "", ""); err != nil {
				t.Fatal(err)
			}
			w.empty(t, dir)
		})
	}
}

// Each step of a prune may be the last: what is visible then is whole, and the next prune leaves nothing.
func TestPruneKilledAtEachStep(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	tar := filepath.Join(t.TempDir(), "tar")
	base := imagetest.Tar(imagetest.File("base", noiseText(20_000)))
	var all []archive.Export
	for i := range 3 { // with a layer in common, and one that lies below another
		own := imagetest.Tar(imagetest.File("own", noiseText(10_000+i)))
		all = append(all, imagetest.New(nil, base, own).Export(fmt.Sprintf("x:%d", i)), imagetest.New(nil, base, own, imagetest.Tar(imagetest.File("top", "top"))).Export(fmt.Sprintf("y:%d", i)))
	}
	var written bytes.Buffer
	if err := archive.Write(t.Context(), &written, all); err != nil {
		t.Fatal(err)
	}
	writeFile(t, tar, written.String())
	dir := t.TempDir()
	kills := 0
	for n, ended := 1, false; !ended; n++ {
		killedAct(t, dir, "load", "", tar, 0)
		t.Setenv("XC_IMAGES_STEPS", strconv.Itoa(n))
		_, ended = killedAct(t, dir, "prune", "", tar, 0)
		t.Setenv("XC_IMAGES_STEPS", "")
		w, err := openCrashWorld(dir)
		if err != nil {
			t.Fatal(err)
		}
		w.check(t)
		if !ended {
			kills++
		}
		if n%2 == 0 { // what one of them left must not be in the other's way
			if err := w.act("prune", "", ""); err != nil {
				t.Fatal(err)
			}
			w.empty(t, dir)
		}
		w.close()
	}
	if t.Logf("%d kills", kills); kills < 20 {
		t.Errorf("only %d kills", kills)
	}
	w, err := openCrashWorld(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := w.act("prune", "", ""); err != nil {
		t.Fatal(err)
	}
	w.empty(t, dir)
}

// check holds the store to its word: every image that is visible can be read whole.
func (w *crashWorld) check(t *testing.T) {
	t.Helper()
	list, err := w.svc.List(t.Context(), engine.ImageQuery{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range list {
		if have, _ := w.store.Layers().Has(t.Context(), img.Top); !have {
			t.Errorf("image %v is visible and its layers are not there", img.Tags)
		}
		if err := w.svc.Save(t.Context(), []string{string(img.ID)}, nil, io.Discard); err != nil {
			t.Errorf("image %v cannot be saved: %v", img.Tags, err)
		}
	}
}

func (w *crashWorld) empty(t *testing.T, dir string) {
	t.Helper()
	var left []string
	for _, below := range []string{"blobs", filepath.Join("layers", "copy")} {
		err := filepath.WalkDir(filepath.Join(dir, below), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				left = append(left, path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if len(left) > 0 {
		t.Errorf("left after a prune: %v", left)
	}
	if all, err := w.store.Layers().List(t.Context()); len(all) > 0 || err != nil {
		t.Errorf("layers are left: %v, %v", all, err)
	}
	state, err := w.svc.cfg.Store.ImageState(t.Context())
	if err != nil || len(state.Images)+len(state.Names)+len(state.Blobs) != 0 {
		t.Errorf("records are left: %+v, %v", state, err)
	}
}

func noiseText(n int) string {
	var b strings.Builder
	for d := digest.FromString(fmt.Sprint(n)); b.Len() < n; d = digest.FromString(string(d)) {
		b.WriteString(d.Encoded())
	}
	return b.String()
}

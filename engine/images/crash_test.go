package images

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/db"
	"github.com/xcengine/xc/engine/layers"
	layercopy "github.com/xcengine/xc/engine/layers/copy"
	"github.com/xcengine/xc/engine/registry"
	"github.com/xcengine/xc/imageformat/imagetest"
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
	w.svc, err = New(Config{
		Dir: filepath.Join(dir, "blobs"), Host: amd64, Store: kept, Layers: store.Layers(), Containers: w.containers,
		Events: &memoryEvents{}, Registry: client, RetryTick: time.Millisecond,
	})
	return w, err
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

// act runs a thing in a process of its own and kills it after a while. It reports whether it ended before.
func killedAct(t *testing.T, dir, what, ref, tar string, after time.Duration) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "XC_IMAGES_ACT="+what, "XC_IMAGES_DIR="+dir, "XC_IMAGES_REF="+ref, "XC_IMAGES_TAR="+tar)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	if err != nil && cmd.ProcessState.ExitCode() > 0 {
		t.Fatalf("%s: %v: %s", what, err, said.String())
	}
	return err == nil
}

func TestKilledAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	net := newWorld(t)
	img := imagetest.New(nil, imagetest.Tar(imagetest.File("a", noiseText(300_000))), imagetest.Tar(imagetest.File("b", noiseText(400_000))))
	ref := net.host + "/x:1"
	net.serve(net.host+"/x", "1", img)
	tar := filepath.Join(t.TempDir(), "image.tar")
	writeFile(t, tar, string(img.Archive(ref)))
	for _, what := range []string{"pull", "load", "push", "commit", "prune"} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			setUp := func() {
				if what != "pull" && what != "load" {
					killedAct(t, dir, "load", ref, tar, time.Minute)
				}
			}
			setUp()
			for n := 0; n < 12; n++ {
				killedAct(t, dir, what, ref, tar, time.Duration(5+rand.IntN(120))*time.Millisecond)
				if what == "prune" {
					setUp()
				}
			}
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
	filepath.Walk(filepath.Join(dir, "blobs"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			left = append(left, path)
		}
		return err
	})
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

package images

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/db"
	"github.com/xcengine/xc/engine/registry"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
)

// fileLayers keeps layers as files, each whole or not there, so that a killed process leaves what a real driver would.
type fileLayers struct{ dir string }

type fileLayer struct {
	Parent engine.LayerID
	Size   int64
}

func (f fileLayers) path(id engine.LayerID) string {
	return filepath.Join(f.dir, digest.Digest(id).Encoded())
}
func (f fileLayers) Driver() string { return "file" }

func (f fileLayers) Has(_ context.Context, id engine.LayerID) (bool, error) {
	_, err := os.Stat(f.path(id) + ".json")
	return err == nil, nil
}

func (f fileLayers) Apply(_ context.Context, parent engine.LayerID, diffID digest.Digest, diff io.Reader) (engine.LayerID, int64, error) {
	id := engine.LayerID(imageformat.ChainID(digest.Digest(parent), diffID))
	if have, _ := f.Has(context.Background(), id); have {
		return id, 0, nil
	}
	tar, err := io.ReadAll(diff)
	if err != nil {
		return "", 0, err
	}
	if digest.FromBytes(tar) != diffID {
		return "", 0, fmt.Errorf("wrong diff id")
	}
	raw, _ := json.Marshal(fileLayer{parent, int64(len(tar))})
	if err := os.WriteFile(f.path(id)+".tar", tar, 0o600); err != nil {
		return "", 0, err
	}
	if err := os.WriteFile(f.path(id)+".new", raw, 0o600); err != nil {
		return "", 0, err
	}
	return id, int64(len(tar)), os.Rename(f.path(id)+".new", f.path(id)+".json")
}

func (f fileLayers) Diff(_ context.Context, id engine.LayerID) (io.ReadCloser, error) {
	return os.Open(f.path(id) + ".tar")
}

func (f fileLayers) RootDiff(context.Context, engine.ContainerID) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(crashDiff)), nil
}

var crashDiff = imagetest.Tar(imagetest.File("made", strings.Repeat("by the container ", 20_000)))

func (f fileLayers) layer(id engine.LayerID) (fileLayer, error) {
	var l fileLayer
	raw, err := os.ReadFile(f.path(id) + ".json")
	if err == nil {
		err = json.Unmarshal(raw, &l)
	}
	return l, err
}

func (f fileLayers) Size(_ context.Context, id engine.LayerID) (int64, error) {
	l, err := f.layer(id)
	return l.Size, err
}

func (f fileLayers) List(context.Context) ([]engine.LayerID, error) {
	files, err := filepath.Glob(filepath.Join(f.dir, "*.json"))
	var all []engine.LayerID
	for _, p := range files {
		all = append(all, engine.LayerID("sha256:"+strings.TrimSuffix(filepath.Base(p), ".json")))
	}
	return all, err
}

func (f fileLayers) Remove(ctx context.Context, id engine.LayerID) error {
	all, _ := f.List(ctx)
	for _, other := range all {
		if l, err := f.layer(other); err == nil && l.Parent == id {
			return &engine.Error{Kind: engine.Conflict, Reason: engine.ReasonInUse}
		}
	}
	os.Remove(f.path(id) + ".json")
	return os.Remove(f.path(id) + ".tar")
}

func (f fileLayers) Describe(context.Context, engine.LayerID) (map[string]string, error) {
	return nil, nil
}

// crashWorld is what a process of the crash test works on.
type crashWorld struct {
	svc    *Service
	layers fileLayers
	close  func()
}

func openCrashWorld(dir string) (*crashWorld, error) {
	for _, d := range []string{"layers", "blobs"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	store, err := db.Open(context.Background(), filepath.Join(dir, "xc.db"))
	if err != nil {
		return nil, err
	}
	client, err := registry.New(registry.Config{})
	if err != nil {
		return nil, err
	}
	w := &crashWorld{layers: fileLayers{filepath.Join(dir, "layers")}, close: func() { store.Close() }}
	c := engine.Container{ID: engine.ContainerID(strings.Repeat("a", 64)), Name: "web", Platform: amd64, Spec: engine.Spec{Process: engine.ProcessSpec{Cmd: []string{"x"}}}}
	w.svc, err = New(Config{
		Dir: filepath.Join(dir, "blobs"), Host: amd64, Store: store, Layers: w.layers, Containers: &memoryContainers{all: []engine.Container{c}},
		Events: &memoryEvents{}, Registry: client, RetryTick: time.Millisecond,
	})
	return w, err
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
		w.svc.containers.(*memoryContainers).all[0].Image = w.mustLookup(ref)
		_, err := w.svc.Commit(ctx, engine.CommitRequest{Container: "web", Ref: "committed:1"})
		w.svc.containers.(*memoryContainers).all[0].Image = ""
		return err
	case "prune":
		_, _, err := w.svc.Prune(ctx, engine.PruneQuery{All: true})
		return err
	}
	return fmt.Errorf("no %q", what)
}

func (w *crashWorld) mustLookup(ref string) engine.ImageID {
	img, err := w.svc.Lookup(context.Background(), ref, nil)
	if err != nil {
		panic(err)
	}
	return img.ID
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
		if have, _ := w.layers.Has(t.Context(), img.Top); !have {
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
	for _, d := range []string{"layers", "blobs"} {
		filepath.Walk(filepath.Join(dir, d), func(path string, info os.FileInfo, err error) error {
			// A layer's tar without its record is the driver's to sweep.
			if err == nil && info.Mode().IsRegular() && !(d == "layers" && !strings.HasSuffix(path, ".json")) {
				left = append(left, path)
			}
			return err
		})
	}
	slices.Sort(left)
	if diff := cmp.Diff([]string(nil), left); diff != "" {
		t.Errorf("left after a prune: %s", diff)
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

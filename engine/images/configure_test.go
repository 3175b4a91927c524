package images

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
)

// described adds a variable to an image's description.
func described(name string) func(*imageformat.JailConfig) error {
	return func(j *imageformat.JailConfig) error {
		if j.Envs == nil {
			j.Envs = map[string]imageformat.EnvSpec{}
		}
		j.Envs[name] = imageformat.EnvSpec{Description: name, Required: true}
		return nil
	}
}

func TestConfigure(t *testing.T) {
	w := newWorld(t)
	root := imagetest.Tar(imagetest.File("bin/sh", "#!"))
	old, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: "x:1", Changes: []string{"CMD run", "STOPSIGNAL SIGUSR1"}}, bytes.NewReader(root))
	if err != nil {
		t.Fatal(err)
	}
	w.tag("x:1", "kept:1")
	id, err := w.svc.Configure(t.Context(), "x:1", described("A"))
	if err != nil {
		t.Fatal(err)
	}
	now, before := w.inspect("x:1"), w.inspect("kept:1")
	if now.ID != id || before.ID != old || id == old {
		t.Errorf("x is %s, kept is %s; %s was made of %s", now.ID, before.ID, id, old)
	}
	if now.Jail == nil || !now.Jail.Envs["A"].Required || now.Config.StopSignal != "SIGUSR1" || len(now.Config.Process.Cmd) == 0 || now.Top != before.Top {
		t.Errorf("%+v", now)
	}
	// By its id an image is changed without a name being moved.
	byID, err := w.svc.Configure(t.Context(), string(id), described("B"))
	if err != nil || byID == id || w.inspect("x:1").ID != id {
		t.Errorf("%s, %v", byID, err)
	}
	refused := errors.New("no")
	if _, err := w.svc.Configure(t.Context(), "x:1", func(*imageformat.JailConfig) error { return refused }); !errors.Is(err, refused) || engine.KindOf(err) != engine.Invalid {
		t.Errorf("%v", err)
	}
	if _, err := w.svc.Configure(t.Context(), "none", described("A")); engine.KindOf(err) != engine.NotFound {
		t.Errorf("%v", err)
	}
}

// Of changes that are made at once none is lost.
func TestConfigureAtOnce(t *testing.T) {
	w := newWorld(t)
	if _, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: "x:1"}, bytes.NewReader(imagetest.Tar(imagetest.File("a", "a")))); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	const n = 4
	for i := range n {
		all.Go(func() {
			if _, err := w.svc.Configure(t.Context(), "x:1", described(fmt.Sprintf("V%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := w.inspect("x:1").Jail.Envs; len(got) != n {
		t.Errorf("%d of %d changes are there: %v", len(got), n, got)
	}
}

// An image of the original xc leaves Docker's part empty, by which it is known; a change keeps that so.
func TestConfigureOfTheOriginal(t *testing.T) {
	w := newWorld(t)
	_, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: "x:1"}, bytes.NewReader(imagetest.Tar(imagetest.File("a", "a"))))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err = w.svc.Configure(t.Context(), "x:1", func(j *imageformat.JailConfig) error {
			j.EntryPoints = map[string]imageformat.Exec{"main": {Exec: "/bin/a"}}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if i := w.inspect("x:1"); i.TreeExit {
		t.Error("an image that was not the original's became one")
	}
	doc := imageformat.JailImage{Jail: &imageformat.JailConfig{EntryPoints: map[string]imageformat.Exec{"main": {Exec: "/bin/a"}}}}
	if err := setJail(&doc, described("A")); err != nil || doc.Run.HasProcess() || len(doc.Jail.Envs) != 1 {
		t.Errorf("%+v, %v", doc, err)
	}
}

func TestImportWithConfiguration(t *testing.T) {
	w := newWorld(t)
	_, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: "x:1", Jail: func(j *imageformat.JailConfig) error {
		j.EntryPoints = map[string]imageformat.Exec{"main": {Exec: "/bin/a", DefaultArgs: []string{"b"}}}
		return nil
	}}, bytes.NewReader(imagetest.Tar(imagetest.File("a", "a"))))
	if err != nil {
		t.Fatal(err)
	}
	p := w.inspect("x:1").Config.Process
	if fmt.Sprint(p.Entrypoint, p.Cmd) != "[/bin/a] [b]" {
		t.Errorf("%+v", p)
	}
}

func TestPushUnderAnotherName(t *testing.T) {
	w := newWorld(t)
	img := simple("a")
	w.serve("docker.io/library/x", "1", img)
	w.pull("x:1")
	w.load(simple("other").Archive(w.host + "/team/y:2"))
	var l lines
	err := w.svc.Push(t.Context(), engine.PushRequest{Ref: "x:1", Target: w.host + "/team/y:2"}, l.report)
	if err != nil {
		t.Fatal(err)
	}
	if m := w.remote(w.host+"/team/y", "2"); m.Digest != img.Digest().String() {
		t.Errorf("the registry has %s", m.Digest)
	}
	if got := w.inspect(w.host + "/team/y:2"); got.ID == engine.ImageID(img.ID()) {
		t.Error("the name was taken from another image here")
	}
	if err := w.svc.Push(t.Context(), engine.PushRequest{Ref: "none", Target: w.host + "/team/y:3"}, l.report); engine.KindOf(err) != engine.NotFound {
		t.Errorf("%v", err)
	}
	if err := w.svc.Push(t.Context(), engine.PushRequest{Ref: string(img.ID()), Target: w.host + "/team/y:4"}, l.report); err != nil {
		t.Error(err)
	}
}

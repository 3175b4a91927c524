package images

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distribution/reference"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
)

func (w *world) remove(ref string, force bool) []string {
	w.t.Helper()
	done, err := w.svc.Remove(w.t.Context(), ref, engine.ImageRemoval{Force: force, Prune: true})
	if err != nil {
		w.t.Fatalf("rmi %s: %v", ref, err)
	}
	return deletedText(done)
}

func deletedText(done []engine.ImageDeleted) []string {
	var out []string
	for _, d := range done {
		if d.Untagged != "" {
			out = append(out, "untagged "+d.Untagged)
		} else {
			out = append(out, "deleted "+d.Deleted)
		}
	}
	return out
}

func (w *world) refused(ref string, force bool, reason engine.Reason, words string) {
	w.t.Helper()
	before, _ := w.svc.List(w.t.Context(), engine.ImageQuery{All: true})
	_, err := w.svc.Remove(w.t.Context(), ref, engine.ImageRemoval{Force: force, Prune: true})
	var e *engine.Error
	if !errors.As(err, &e) || e.Kind != engine.Conflict || e.Reason != reason || e.Err == nil || e.Err.Error() != words {
		w.t.Errorf("rmi %s force=%v: %v", ref, force, err)
	}
	after, _ := w.svc.List(w.t.Context(), engine.ImageQuery{All: true})
	if diff := cmp.Diff(before, after); diff != "" {
		w.t.Errorf("a refused rmi changed something: %s", diff)
	}
}

func chainOf(img imagetest.Image) []string {
	var all []string
	for _, c := range slices.Backward(imageformat.ChainIDs(img.DiffIDs)) {
		all = append(all, "deleted "+c.String())
	}
	return all
}

func TestRemoveByName(t *testing.T) {
	w := newWorld(t)
	img := simple("a", "b")
	w.serve("docker.io/library/x", "1", img)
	w.pull("x:1")
	w.tag("x:1", "x:2")
	w.tag("x:1", "y:1")
	w.events.take()
	id := string(img.ID())
	if diff := cmp.Diff([]string{"untagged x:2"}, w.remove("x:2", false)); diff != "" {
		t.Error(diff)
	}
	// The repository's last tag takes its digests along.
	if diff := cmp.Diff([]string{"untagged x:1", "untagged x@" + img.Digest().String()}, w.remove("x:1", false)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(append([]string{"untagged y:1", "deleted " + id}, chainOf(img)...), w.remove("y:1", false)); diff != "" {
		t.Error(diff)
	}
	want := []string{"untag " + id + " " + id, "untag " + id + " " + id, "untag " + id + " " + id, "delete " + id + " " + id}
	if diff := cmp.Diff(want, w.events.take()); diff != "" {
		t.Error(diff)
	}
	w.nothing("after rmi")
	if _, err := w.svc.Remove(t.Context(), "y:1", engine.ImageRemoval{Prune: true}); engine.KindOf(err) != engine.NotFound {
		t.Errorf("again: %v", err)
	}
}

func TestRemoveByID(t *testing.T) {
	w := newWorld(t)
	img := simple("a", "b")
	w.serve("docker.io/library/x", "1", img)
	w.pull("x:1")
	id, short := string(img.ID()), img.ID().Encoded()[:12]
	w.tag("x:1", "y:1")
	w.refused(short, false, engine.ReasonTagged, "conflict: unable to delete "+short+" (must be forced) - image is referenced in multiple repositories")
	w.remove("y:1", false)
	want := append([]string{"untagged x:1", "untagged x@" + img.Digest().String(), "deleted " + id}, chainOf(img)...)
	if diff := cmp.Diff(want, w.remove(short, false)); diff != "" {
		t.Error(diff)
	}
	w.nothing("after rmi")
	w.pull("x:1")
	w.tag("x:1", "y:1")
	if got := w.remove(id, true); len(got) != 3+1+2 {
		t.Errorf("by force: %v", got)
	}
	w.nothing("after rmi -f")
}

func TestRemoveInUse(t *testing.T) {
	w := newWorld(t)
	img := simple("a")
	w.load(img.Archive("x:1"))
	id, short := string(img.ID()), img.ID().Encoded()[:12]
	c := w.container("web", "x:1", engine.StateRunning, nil)
	user := c.ID.Short()
	w.refused("x:1", false, engine.ReasonInUse, `conflict: unable to remove repository reference "x:1" (must force) - container `+user+" is using its referenced image "+short)
	w.refused(short, false, engine.ReasonRunning, "conflict: unable to delete "+short+" (cannot be forced) - image is being used by running container "+user)
	w.refused(id, true, engine.ReasonRunning, "conflict: unable to delete "+short+" (cannot be forced) - image is being used by running container "+user)
	// By force the name goes; the image of a running container stays, without a name.
	if diff := cmp.Diff([]string{"untagged x:1"}, w.remove("x:1", true)); diff != "" {
		t.Error(diff)
	}
	if _, err := w.svc.Lookup(t.Context(), id, nil); err != nil {
		t.Errorf("the image went: %v", err)
	}
	w.dropContainer(c)
	c = w.container("old", id, engine.StateExited, nil)
	w.refused(short, false, engine.ReasonInUse, "conflict: unable to delete "+short+" (must be forced) - image is being used by stopped container "+c.ID.Short())
	// By force the image goes; the layers that the stopped container's root stands on stay until it is gone.
	if diff := cmp.Diff([]string{"deleted " + id}, w.remove(short, true)); diff != "" {
		t.Error(diff)
	}
	if n := w.layers.count(); n != 1 {
		t.Errorf("%d layers under a container", n)
	}
	if _, err := w.svc.Collect(t.Context()); err != nil || w.layers.count() != 1 {
		t.Errorf("Collect took a layer from under a container: %v", err)
	}
	w.dropContainer(c)
	if _, _, err := w.svc.Prune(t.Context(), engine.PruneQuery{}); err != nil {
		t.Fatal(err)
	}
	w.nothing("after the container")
}

func TestRemoveWithChildren(t *testing.T) {
	w := newWorld(t)
	w.load(simple("a").Archive("base:1"))
	c := w.container("web", "base:1", engine.StateExited, imagetest.Tar(imagetest.File("b", "b")))
	if _, err := w.svc.Commit(t.Context(), engine.CommitRequest{Container: "web", Ref: "child:1"}); err != nil {
		t.Fatal(err)
	}
	w.dropContainer(c)
	base := simple("a").ID()
	w.refused(base.String(), true, engine.ReasonHasChildren, "conflict: unable to delete "+base.Encoded()[:12]+" (cannot be forced) - image has dependent child images")
	// By name it becomes an intermediate image, which goes with its child.
	if diff := cmp.Diff([]string{"untagged base:1"}, deletedText(w.mustFail("base:1"))); diff != "" {
		t.Error(diff)
	}
	if got := strings.Join(w.remove("child:1", false), "\n"); !strings.Contains(got, "deleted "+base.String()) {
		t.Errorf("the parent stayed: %s", got)
	}
	w.nothing("after rmi")
}

// mustFail removes a name whose image cannot go: Docker tells the conflict, because nobody would see the image any more.
func (w *world) mustFail(ref string) []engine.ImageDeleted {
	w.t.Helper()
	done, err := w.svc.Remove(w.t.Context(), ref, engine.ImageRemoval{Prune: true})
	if err != nil && !engine.HasReason(err, engine.ReasonHasChildren) {
		w.t.Errorf("rmi %s: %v", ref, err)
	}
	return done
}

func TestRemoveTakesTheNameFromAllPlatforms(t *testing.T) {
	w := newWorld(t)
	w.serveIndex("docker.io/library/x", "1", forPlatform("linux", "amd64", "a"), forPlatform("linux", "arm64", "a"))
	w.pull("x:1")
	if err := w.svc.Pull(t.Context(), engine.PullRequest{Ref: "x:1", Platform: &engine.Platform{OS: "linux", Architecture: "arm64"}}, nil); err != nil {
		t.Fatal(err)
	}
	w.remove("x:1", false)
	w.nothing("after rmi")
}

// twoPlatforms serves and pulls x:1 for linux/amd64 and linux/arm64.
func (w *world) twoPlatforms() (amd, arm imagetest.Image) {
	w.t.Helper()
	amd, arm = forPlatform("linux", "amd64", "a"), forPlatform("linux", "arm64", "b")
	w.serveIndex("docker.io/library/x", "1", amd, arm)
	w.pull("x:1")
	if err := w.svc.Pull(w.t.Context(), engine.PullRequest{Ref: "x:1", Platform: &linuxArm}, nil); err != nil {
		w.t.Fatal(err)
	}
	return amd, arm
}

var linuxArm = engine.Platform{OS: "linux", Architecture: "arm64"}

func (w *world) isNameOf(ref string, want ...imagetest.Image) {
	w.t.Helper()
	t, err := parseTarget("test", ref)
	if err != nil {
		w.t.Fatal(err)
	}
	var got, ids []string
	for _, e := range w.svc.index.named(t.name.String()) {
		got = append(got, string(e.rec.ID))
	}
	for _, img := range want {
		ids = append(ids, string(img.ID()))
	}
	slices.Sort(got)
	slices.Sort(ids)
	if diff := cmp.Diff(ids, got); diff != "" {
		w.t.Errorf("%s: %s", ref, diff)
	}
}

func TestRemoveOnePlatform(t *testing.T) {
	w := newWorld(t)
	amd, arm := w.twoPlatforms()
	if err := w.svc.tag(t.Context(), engine.ImageID(arm.ID()), mustParse("y:1").(reference.NamedTagged)); err != nil {
		t.Fatal(err)
	}
	w.container("web", "x:1", engine.StateRunning, nil)
	how := engine.ImageRemoval{Prune: true, Platforms: []engine.Platform{{OS: "linux", Architecture: "riscv64"}}}
	if _, err := w.svc.Remove(t.Context(), "x:1", how); !engine.HasReason(err, engine.ReasonNoPlatform) {
		t.Errorf("of a platform that is not there: %v", err)
	}
	how.Platforms = append(how.Platforms, linuxArm)
	if _, err := w.svc.Remove(t.Context(), "x:1", how); !engine.HasReason(err, engine.ReasonNoPlatform) {
		t.Errorf("of two platforms one of which is not there: %v", err)
	}
	w.isNameOf("x:1", amd, arm)

	// The container is of the other platform's image, and the image has one more name.
	how.Platforms = []engine.Platform{linuxArm}
	done, err := w.svc.Remove(t.Context(), "x:1", how)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(deletedText(done), "\n"); !strings.HasPrefix(got, "untagged x:1") || strings.Contains(got, "deleted") {
		t.Errorf("it answered %s", got)
	}
	w.isNameOf("x:1", amd)
	w.isNameOf("y:1", arm)
	if got := strings.Join(deletedText(w.mustFail("y:1")), "\n"); !strings.Contains(got, "deleted "+arm.ID().String()) {
		t.Errorf("its last name: %s", got)
	}
	how.Platforms = []engine.Platform{{OS: "linux", Architecture: "amd64"}}
	if _, err := w.svc.Remove(t.Context(), "x:1", how); !engine.HasReason(err, engine.ReasonInUse) {
		t.Errorf("of the container's platform: %v", err)
	}
	w.isNameOf("x:1", amd)
}

func TestRemoveSeveralPlatforms(t *testing.T) {
	w := newWorld(t)
	w.twoPlatforms()
	how := engine.ImageRemoval{Prune: true, Platforms: []engine.Platform{linuxArm, {OS: "linux", Architecture: "amd64"}}}
	done, err := w.svc.Remove(t.Context(), "x:1", how)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(strings.Join(deletedText(done), "\n"), "untagged x:1"); got != 1 {
		t.Errorf("the name is told %d times", got)
	}
	w.nothing("after rmi")
}

func TestANameStaysWithTheImageInUse(t *testing.T) {
	w := newWorld(t)
	amd, arm := w.twoPlatforms()
	c := w.container("web", arm.ID().String(), engine.StateExited, nil)
	w.refused("x:1", false, engine.ReasonInUse, `conflict: unable to remove repository reference "x:1" (must force) - container `+
		c.ID.Short()+" is using its referenced image "+arm.ID().Encoded()[:12])
	w.isNameOf("x:1", amd, arm)
	if _, _, err := w.svc.Prune(t.Context(), engine.PruneQuery{All: true}); err != nil {
		t.Fatal(err)
	}
	w.isNameOf("x:1", arm)
}

func TestSharedLayersStay(t *testing.T) {
	w := newWorld(t)
	one, two := simple("a", "b"), simple("a", "c")
	w.load(one.Archive("one:1"))
	w.load(two.Archive("two:1"))
	w.remove("one:1", false)
	if n := w.layers.count(); n != 2 {
		t.Errorf("%d layers", n)
	}
	v := newWorld(t)
	v.load(w.save("two:1"))
	w.remove("two:1", false)
	w.nothing("after both")
}

func TestPrune(t *testing.T) {
	w := newWorld(t)
	labelled := imagetest.New(func(c *imageformat.JailImage) { c.Run.Labels = map[string]string{"keep": "1"} }, imagetest.Tar(imagetest.File("l", "l")))
	w.load(simple("a").Archive("used:1"))
	w.load(simple("b").Archive("tagged:1"))
	w.load(simple("c").Archive())
	w.load(labelled.Archive())
	c := w.container("web", "used:1", engine.StateExited, nil)
	w.events.take()

	done, freed, err := w.svc.Prune(t.Context(), engine.PruneQuery{NotLabels: []engine.LabelMatch{{Key: "keep"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := append([]string{"deleted " + simple("c").ID().String()}, chainOf(simple("c"))...)
	if diff := cmp.Diff(want, deletedText(done)); diff != "" || freed != int64(len(simple("c").Diffs[0])) {
		t.Error(diff, freed)
	}
	if done, _, _ := w.svc.Prune(t.Context(), engine.PruneQuery{Until: imagetest.Epoch.Add(-time.Hour)}); len(done) != 0 {
		t.Errorf("younger than asked for: %v", deletedText(done))
	}
	if done, _, _ = w.svc.Prune(t.Context(), engine.PruneQuery{}); len(done) != 2 {
		t.Errorf("the rest of the dangling ones: %v", deletedText(done))
	}
	done, _, err = w.svc.Prune(t.Context(), engine.PruneQuery{All: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append([]string{"untagged tagged:1", "deleted " + simple("b").ID().String()}, chainOf(simple("b"))...), deletedText(done)); diff != "" {
		t.Error(diff)
	}
	if events := w.events.take(); events[len(events)-1] != "prune  " {
		t.Errorf("events: %v", events)
	}
	w.inspect("used:1")
	w.dropContainer(c)
	if _, _, err := w.svc.Prune(t.Context(), engine.PruneQuery{All: true}); err != nil {
		t.Fatal(err)
	}
	w.nothing("after prune -a")
	if !w.svc.pruning.CompareAndSwap(false, true) {
		t.Fatal("a prune runs for ever")
	}
	if _, _, err := w.svc.Prune(t.Context(), engine.PruneQuery{}); engine.KindOf(err) != engine.Conflict {
		t.Errorf("two prunes at once: %v", err)
	}
}

func TestPruneDoesNotDisturbAPull(t *testing.T) {
	w := newWorld(t)
	img := simple("a", "b", "c")
	w.serve("docker.io/library/x", "1", img)
	reached, release := make(chan struct{}, 3), make(chan struct{})
	w.layers.gate = func() { reached <- struct{}{}; <-release }
	pulled := make(chan error, 1)
	go func() { pulled <- w.svc.Pull(t.Context(), pullRequest("x:1"), nil) }()
	for range 3 {
		<-reached
		for range 3 {
			if _, _, err := w.svc.Prune(t.Context(), engine.PruneQuery{All: true}); err != nil {
				t.Error(err)
			}
		}
		release <- struct{}{}
	}
	if err := <-pulled; err != nil {
		t.Fatal(err)
	}
	w.save("x:1")
	if n := w.layers.count(); n != 3 {
		t.Errorf("%d layers", n)
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	at := func(hours int, label string, files ...string) imagetest.Image {
		var diffs [][]byte
		for _, f := range files {
			diffs = append(diffs, imagetest.Tar(imagetest.File(f, f)))
		}
		return imagetest.New(func(c *imageformat.JailImage) {
			created := imagetest.Epoch.Add(time.Duration(hours) * time.Hour)
			c.Created = &created
			c.Run.Labels = map[string]string{"n": label}
		}, diffs...)
	}
	w.load(at(1, "one", "a", "b").Archive("team/one:1", "team/one:latest"))
	w.load(at(2, "two", "a", "c").Archive("two:2"))
	w.load(at(3, "three", "d").Archive())
	yes, no := true, false
	for name, test := range map[string]struct {
		q    engine.ImageQuery
		want string // labels, newest first
	}{
		"all":             {engine.ImageQuery{}, "three two one"},
		"dangling":        {engine.ImageQuery{Dangling: &yes}, "three"},
		"not dangling":    {engine.ImageQuery{Dangling: &no}, "two one"},
		"label":           {engine.ImageQuery{Labels: []engine.LabelMatch{{Key: "n", Value: "two", HasValue: true}}}, "two"},
		"label without":   {engine.ImageQuery{NotLabels: []engine.LabelMatch{{Key: "n", Value: "two", HasValue: true}}}, "three one"},
		"before":          {engine.ImageQuery{Before: "two:2"}, "one"},
		"since":           {engine.ImageQuery{Since: "two:2"}, "three"},
		"until":           {engine.ImageQuery{Until: imagetest.Epoch.Add(150 * time.Minute)}, "two one"},
		"reference":       {engine.ImageQuery{References: []string{"team/*"}}, "one"},
		"reference tag":   {engine.ImageQuery{References: []string{"*:2", "*/*:1"}}, "two one"},
		"reference plain": {engine.ImageQuery{References: []string{"two"}}, "two"},
		"nothing":         {engine.ImageQuery{References: []string{"none"}}, ""},
	} {
		rows, err := w.svc.List(t.Context(), test.q)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, r := range rows {
			got = append(got, r.Config.Labels["n"])
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	rows, _ := w.svc.List(t.Context(), engine.ImageQuery{References: []string{"team/one:1"}})
	if diff := cmp.Diff([]string{"team/one:1"}, rows[0].Tags); diff != "" {
		t.Error(diff)
	}
	for _, q := range []engine.ImageQuery{{Before: "none"}, {Since: "none"}} {
		if _, err := w.svc.List(t.Context(), q); engine.KindOf(err) != engine.NotFound {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := w.svc.List(t.Context(), engine.ImageQuery{References: []string{"["}}); engine.KindOf(err) != engine.Invalid {
		t.Errorf("a bad pattern: %v", err)
	}
	w.container("web", "two:2", engine.StateExited, nil)
	layers, rows, err := w.svc.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := int64(len(imagetest.Tar(imagetest.File("a", "a"))))
	if layers != 4*a || rows[0].SharedSize != 0 || rows[1].SharedSize != a || rows[1].Containers != 1 || rows[2].SharedSize != a {
		t.Errorf("layers %d, rows %+v", layers, rows)
	}
}

// counter counts all containers at once, and forbids to be asked for one image's.
type counter struct{ *memoryContainers }

func (c counter) ImageCounts(context.Context) (map[engine.ImageID]int, error) {
	counts := map[engine.ImageID]int{}
	for _, one := range c.all {
		counts[one.Image]++
	}
	return counts, nil
}

func (c counter) ImageUsers(context.Context, engine.ImageID) ([]engine.Container, error) {
	return nil, errors.New("asked for one image")
}

func TestListCountsContainersAtOnce(t *testing.T) {
	w := newWorld(t)
	w.load(simple("a").Archive("x:1"))
	w.container("one", "x:1", engine.StateExited, nil)
	w.container("two", "x:1", engine.StateRunning, nil)
	w.svc.UseContainers(counter{w.containers})
	rows, err := w.svc.List(t.Context(), engine.ImageQuery{})
	if err != nil || len(rows) != 1 || rows[0].Containers != 2 {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestEverythingSurvivesARestart(t *testing.T) {
	w := newWorld(t)
	w.serve("docker.io/library/x", "1", simple("a", "b"))
	w.pull("x:1")
	w.tag("x:1", "y:2")
	w.load(simple("c").Archive("z:3"))
	before, _ := w.svc.List(t.Context(), engine.ImageQuery{All: true})
	w.svc.Close()
	w.open()
	after, _ := w.svc.List(t.Context(), engine.ImageQuery{All: true})
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if freed, err := w.svc.Collect(t.Context()); freed != 0 || err != nil {
		t.Errorf("Collect freed %d, %v", freed, err)
	}
	w.remove("x:1", false)
	w.remove("y:2", false)
	w.remove("z:3", false)
	w.nothing("after all")
}

func TestLostLayersComeBackFromBlobs(t *testing.T) {
	w := newWorld(t)
	img := simple("a", "b", "c")
	w.serve("docker.io/library/x", "1", img)
	w.pull("x:1")
	w.load(simple("a", "d").Archive("y:1"))
	lose := func() {
		w.layers.mu.Lock()
		defer w.layers.mu.Unlock()
		clear(w.layers.all)
	}
	lose()
	if err := w.svc.Restore(t.Context()); err != nil || w.layers.count() != 4 {
		t.Errorf("%d layers, %v", w.layers.count(), err)
	}
	lose()
	if _, err := w.svc.Lookup(t.Context(), "x:1", nil); err != nil || w.layers.count() != 3 {
		t.Errorf("%d layers, %v", w.layers.count(), err)
	}
	lose()
	if _, err := w.svc.blobs.remove(w.svc.blobs.path(digest.FromBytes(img.Blobs[2]))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.Lookup(t.Context(), "x:1", nil); engine.KindOf(err) != engine.Unavailable {
		t.Errorf("without a blob: %v", err)
	}
	if err := w.svc.Restore(t.Context()); err != nil {
		t.Error(err)
	}
	w.pull("x:1")
	if _, err := w.svc.Lookup(t.Context(), "x:1", nil); err != nil {
		t.Errorf("after a pull: %v", err)
	}
}

func TestAThousandImages(t *testing.T) {
	w := newWorld(t)
	var c engine.ImageChange
	for i := range 1000 {
		img := imagetest.New(func(c *imageformat.JailImage) { c.Author = strings.Repeat("x", i) }, imagetest.Tar(imagetest.File("a", "a")))
		id := engine.ImageID(img.ID())
		c.Put = append(c.Put, engine.ImageRecord{ID: id, Config: img.Config, LayerSizes: []int64{1}})
		c.PutNames = append(c.PutNames, engine.ImageName{Name: "docker.io/library/x:" + img.ID().Encoded()[:20], Platform: "linux/amd64", Image: id})
	}
	if err := w.store.ChangeImages(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	w.open()
	opened := time.Since(start)
	start = time.Now()
	rows, err := w.svc.List(t.Context(), engine.ImageQuery{})
	if err != nil || len(rows) != 1000 {
		t.Fatal(len(rows), err)
	}
	t.Logf("opened in %v, listed in %v", opened, time.Since(start))
	if opened > 30*time.Second || time.Since(start) > 10*time.Second { // a bound for the slowest machine that tests
		t.Errorf("opened in %v, listed in %v", opened, time.Since(start))
	}
}

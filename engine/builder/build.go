package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"golang.org/x/sync/errgroup"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/builder/dockerfile"
	"github.com/xcengine/xc/engine/internal/declare"
)

// build is one run of a recipe.
type build struct {
	s      *Service
	req    engine.BuildRequest
	report engine.BuildFunc

	dir     string // of this build's own
	context *source
	file    *dockerfile.File
	args    arguments
	set     settings
	plan    plan
	total   int // steps
	stages  []*stage
	likes   []engine.ImageID        // named as a cache
	liked   map[engine.ImageID]bool // these, and what they were made of here

	mu       sync.Mutex
	sources  map[engine.LayerID]*source
	images   map[string]*pulled
	releases []func()
	used     map[string]bool // arguments that an ARG named
}

// run does the build.
func (b *build) run(ctx context.Context, names []string) (engine.ImageID, error) {
	var err error
	b.sources, b.images, b.used, b.liked = map[engine.LayerID]*source{}, map[string]*pulled{}, map[string]bool{}, map[engine.ImageID]bool{}
	if b.set, err = settingsOf(b.req.Args); err != nil {
		return "", err
	}
	if b.dir, err = os.MkdirTemp(b.s.workDir(), "build-"); err != nil {
		return "", err
	}
	if err := b.read(ctx); err != nil {
		return "", err
	}
	if err := b.prepare(); err != nil {
		return "", err
	}
	if err := b.findLikes(ctx); err != nil {
		return "", err
	}
	last, err := b.runStages(ctx)
	if err != nil {
		return "", err
	}
	b.warnUnused()
	if last.image.ID == "" {
		return "", invalidf("No image was generated. Is your Dockerfile empty?")
	}
	return last.image.ID, b.deliver(ctx, last.image.ID, names)
}

// findLikes finds the images that were named as a cache. As with dockerd, those that are not here are left out: they are not
// fetched, and a first build has none.
func (b *build) findLikes(ctx context.Context) error {
	for _, ref := range b.req.CacheFrom {
		img, err := b.s.Images.Lookup(ctx, ref, b.req.Platform)
		if err == nil {
			err = b.hold(img.ID)
		}
		if err != nil {
			if engine.KindOf(err) != engine.NotFound && engine.KindOf(err) != engine.Invalid {
				return err
			}
			b.s.Log.InfoContext(ctx, "an image cannot serve as cache", "image", ref, "error", err)
			continue
		}
		b.likes = append(b.likes, img.ID)
		if err := b.like(ctx, img); err != nil {
			return err
		}
	}
	return nil
}

// like notes an image and what it was made of here.
func (b *build) like(ctx context.Context, img engine.Image) error {
	for !b.liked[img.ID] {
		b.liked[img.ID] = true
		if img.Parent == "" {
			break
		}
		var err error
		if img, err = b.s.Images.Lookup(ctx, string(img.Parent), nil); engine.KindOf(err) == engine.NotFound {
			break
		} else if err != nil {
			return err
		}
	}
	return nil
}

// serves reports whether an image that was made here may stand for a step. Where images are named as a cache, nothing else
// serves as one, as with dockerd, but for steps whose results no image's history can tell.
func (b *build) serves(id engine.ImageID, c change) bool {
	return len(b.req.CacheFrom) == 0 || c.hidden || b.liked[id]
}

// deliver gives the image to the user.
func (b *build) deliver(ctx context.Context, id engine.ImageID, names []string) error {
	if err := b.s.Images.Keep(ctx, id); err != nil {
		return err
	}
	b.report(engine.BuildEvent{Kind: engine.BuildDone, Image: id})
	for _, name := range names {
		if err := b.s.Images.Tag(ctx, string(id), name); err != nil {
			return err
		}
		b.report(engine.BuildEvent{Kind: engine.BuildTagged, Text: name})
	}
	return nil
}

// close gives back everything that the build holds, whatever its end.
func (b *build) close(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, src := range b.sources {
		if src.root != "" {
			errs = append(errs, b.s.Roots.Remove(ctx, src.root))
		}
	}
	for _, release := range b.releases {
		release()
	}
	if b.dir != "" {
		errs = append(errs, os.RemoveAll(b.dir))
	}
	errs = append(errs, b.s.cache.flush(ctx))
	if err := errors.Join(errs...); err != nil {
		b.s.Log.WarnContext(ctx, "a build could not clean up after itself", "error", err)
	}
}

// hold keeps an image for as long as the build runs.
func (b *build) hold(id engine.ImageID) error {
	release, err := b.s.Images.Hold(id)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.releases = append(b.releases, release)
	return nil
}

// prepare reads the arguments before the first FROM and finds out which stages are needed.
func (b *build) prepare() error {
	target := b.s.Host
	if b.req.Platform != nil {
		target = *b.req.Platform
	}
	b.args = arguments{given: b.req.Args, meta: platformArguments(b.s.Host, target)}
	lex := shell.NewLex(b.file.Escape)
	size := 0
	for _, c := range b.file.Args {
		for _, kv := range c.Command.(*instructions.ArgCommand).Args {
			b.used[kv.Key] = true
			if kv.Value != nil {
				word, err := declare.Words(lex, shell.EnvsFromSlice(b.args.metaEnv()))(*kv.Value)
				if err != nil {
					return invalid(err)
				}
				if size += len(word); size > maxRecipe {
					return invalidf("the arguments before the first FROM are too large")
				}
				kv.Value = &word
			}
			b.args.meta[kv.Key] = kv.Value
		}
	}
	last, err := b.target()
	if err != nil {
		return err
	}
	if err := b.addLabels(last); err != nil {
		return err
	}
	return b.choose(last, lex)
}

// target is the number of the stage that was asked for.
func (b *build) target() (int, error) {
	n := len(b.file.Stages)
	if n == 0 {
		return 0, invalidf("no build stage in current context")
	}
	if b.req.Target == "" {
		return n - 1, nil
	}
	if i := b.file.Find(b.req.Target, n); i >= 0 {
		return i, nil
	}
	if i, err := strconv.Atoi(b.req.Target); err == nil && i >= 0 && i < n {
		return i, nil
	}
	return 0, invalidf("target stage %q could not be found", b.req.Target)
}

// addLabels ends the target with the labels that were given with the request.
func (b *build) addLabels(target int) error {
	if len(b.req.Labels) == 0 {
		return nil
	}
	words := []string{"LABEL"}
	kvs := instructions.KeyValuePairs{}
	for _, key := range slices.Sorted(maps.Keys(b.req.Labels)) {
		words = append(words, key+"="+b.req.Labels[key])
		kvs = append(kvs, instructions.KeyValuePair{Key: key, Value: b.req.Labels[key]})
	}
	label := instructions.NewLabelCommand("", "", true) // no expansion: the words are the user's, not the recipe's
	label.Labels = kvs
	st := &b.file.Stages[target]
	st.Commands = append(st.Commands, dockerfile.Command{Command: label, Text: strings.Join(words, " ")})
	return nil
}

// runStages builds the target and what it needs, and returns the target.
func (b *build) runStages(ctx context.Context) (*stage, error) {
	r := newReporter(len(b.plan.order), b.dir, b.report)
	first := len(b.file.Args)
	tell := r.of(0)
	for i, c := range b.file.Args {
		tell(engine.BuildEvent{Kind: engine.BuildStep, N: i + 1, Total: b.total, Text: c.Text})
	}
	b.stages = make([]*stage, len(b.file.Stages))
	for place, i := range b.plan.order {
		b.stages[i] = newStage(b, i, first, r.of(place))
		first += 1 + len(b.file.Stages[i].Commands)
	}
	var all errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for place, i := range b.plan.order {
		all.Go(func() error {
			defer r.finish(place)
			err := b.stages[i].run(ctx)
			if err != nil {
				cancel()
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		failed := b.failed()
		if failed == nil {
			return nil, err
		}
		b.keepLast(ctx, failed)
		return nil, failed.err
	}
	return b.stages[b.plan.order[len(b.plan.order)-1]], nil
}

// failed is the stage that failed by itself, not one that was ended because of it; nil when all were ended from outside.
func (b *build) failed() *stage {
	for _, st := range b.stages {
		if st != nil && st.err != nil && engine.KindOf(st.err) != engine.Canceled {
			return st
		}
	}
	return nil
}

// keepLast gives the user what there was before a step that failed, if the user wants it.
func (b *build) keepLast(ctx context.Context, failed *stage) {
	if !b.req.KeepLast || failed.image.ID == "" {
		return
	}
	if err := b.s.Images.Keep(context.WithoutCancel(ctx), failed.image.ID); err != nil {
		b.s.Log.WarnContext(ctx, "the state before a failed step is not kept", "image", failed.image.ID, "error", err)
		return
	}
	b.report(engine.BuildEvent{Kind: engine.BuildKept, Text: failed.step, Image: failed.image.ID})
}

func (b *build) noteArgument(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used[name] = true
}

func (b *build) warnUnused() {
	var unused []string
	for _, name := range slices.Sorted(maps.Keys(b.req.Args)) {
		if !b.used[name] && !consumed(name) {
			unused = append(unused, name)
		}
	}
	if len(unused) > 0 {
		b.report(engine.BuildEvent{Kind: engine.BuildWarning, Text: fmt.Sprintf("[Warning] One or more build-args %v were not consumed", unused)})
	}
}

// parse reads the recipe.
func (b *build) parse(r io.Reader, name string) error {
	text := &counter{r: r}
	parse := dockerfile.Parse
	if b.isJailfile() {
		parse = parseJailfile
	}
	file, err := parse(text)
	switch {
	case text.n == 0 && (err == nil || errors.Is(err, dockerfile.ErrEmpty)):
		return invalidf("the Dockerfile (%s) cannot be empty", name)
	case errors.Is(err, dockerfile.ErrSyntax):
		return invalidf("failed to parse %s: %w", name, err)
	case err != nil:
		return invalid(err)
	}
	b.file = file
	return nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

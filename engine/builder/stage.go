package builder

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/builder/dockerfile"
	"github.com/xcengine/xc/engine/internal/declare"
	"github.com/xcengine/xc/imageformat"
)

// scratch is the base of a stage that begins with nothing.
const scratch = "scratch"

// defaultPath is the PATH of commands whose image has none, by system.
var defaultPath = map[string]string{
	"linux":   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"freebsd": "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin",
}

// stage is one FROM on its way: what it has come to.
type stage struct {
	b      *build
	number int
	recipe dockerfile.Stage
	first  int // steps before it
	report engine.BuildFunc
	lex    *shell.Lex

	image    engine.Image // the last step's; without an ID while there is nothing
	config   *declare.Config
	author   string
	platform engine.Platform
	args     arguments
	step     string           // the present one, as it is written
	likes    []engine.ImageID // images whose history may tell the next step
	row      row

	done chan struct{}
	err  error
}

func newStage(b *build, number, first int, report engine.BuildFunc) *stage {
	return &stage{
		b: b, number: number, recipe: b.file.Stages[number], first: first, report: report, lex: shell.NewLex(b.file.Escape),
		args: b.args.stage(), likes: b.likes, done: make(chan struct{}),
	}
}

// run does all steps of the stage.
func (st *stage) run(ctx context.Context) error {
	defer close(st.done)
	st.err = st.steps(ctx)
	return st.err
}

func (st *stage) steps(ctx context.Context) error {
	st.begin(0, st.recipe.Text)
	if err := st.from(ctx); err != nil {
		return err
	}
	st.report(engine.BuildEvent{Kind: engine.BuildImage, Image: st.image.ID})
	for i, c := range st.recipe.Commands {
		if err := ctx.Err(); err != nil {
			return err
		}
		st.begin(i+1, c.Text)
		st.row.goesOn = i+1 < len(st.recipe.Commands) && declares(st.recipe.Commands[i+1])
		if err := st.do(ctx, c); err != nil {
			return err
		}
		if len(st.row.steps) == 0 {
			st.report(engine.BuildEvent{Kind: engine.BuildImage, Image: st.image.ID})
		}
	}
	st.report(engine.BuildEvent{Kind: engine.BuildResult, Image: st.image.ID})
	return nil
}

func (st *stage) begin(step int, text string) {
	st.step = text
	st.report(engine.BuildEvent{Kind: engine.BuildStep, N: st.first + step + 1, Total: st.b.total, Text: text})
}

// from begins the stage with its base and runs the triggers that the base has.
func (st *stage) from(ctx context.Context) error {
	name := st.recipe.Base
	if i := st.b.file.Find(name, st.number); i >= 0 {
		base, err := st.b.await(ctx, st, i)
		if err != nil {
			return err
		}
		st.image, st.platform, st.author, st.args = base.image, base.platform, base.author, base.args.clone()
		st.config = declare.New(base.config.ImageConfig, st.b.file.Escape)
	} else if err := st.fromImage(ctx, name); err != nil {
		return err
	}
	triggers := st.config.OnBuild
	st.config.OnBuild = nil
	if len(triggers) == 0 {
		return nil
	}
	st.report(engine.BuildEvent{Kind: engine.BuildTriggers, N: len(triggers)})
	for _, text := range triggers {
		c, err := dockerfile.Trigger(text)
		if err != nil {
			return invalid(err)
		}
		if err := st.do(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) fromImage(ctx context.Context, name string) error {
	platform, err := st.wantedPlatform()
	if err != nil {
		return err
	}
	if name == scratch {
		if st.platform = st.b.s.Host; platform != nil {
			st.platform = *platform
		}
		st.config = declare.New(engine.ImageConfig{}, st.b.file.Escape)
		st.setPath()
		return nil
	}
	img, err := st.b.image(ctx, name, platform, st.report)
	if err != nil {
		return err
	}
	st.image, st.platform, st.author = img, img.Platform, img.Author
	st.config = declare.New(img.Config, st.b.file.Escape)
	st.setPath()
	return nil
}

// wantedPlatform is that of the FROM line, or else that of the request; nil when neither says one.
func (st *stage) wantedPlatform() (*engine.Platform, error) {
	if st.recipe.Platform == "" {
		return st.b.req.Platform, nil
	}
	p, err := st.b.parsePlatform(st.recipe.Platform)
	if err != nil {
		return nil, invalidf("failed to parse platform %s: %w", st.recipe.Platform, err)
	}
	return &p, nil
}

// setPath gives an image without a PATH the system's, so that commands are found as in a container.
func (st *stage) setPath() {
	for _, e := range st.config.Process.Env {
		if strings.HasPrefix(e, "PATH=") {
			return
		}
	}
	if p := defaultPath[st.platform.OS]; p != "" {
		st.config.Process.Env = append(st.config.Process.Env, "PATH="+p)
	}
}

// env is what the words of a command may name.
func (st *stage) env() shell.EnvGetter {
	image := st.config.Process.Env
	return shell.EnvsFromSlice(append(image[:len(image):len(image)], st.args.env(image)...))
}

// do does one command.
func (st *stage) do(ctx context.Context, c dockerfile.Command) error {
	switch i := c.Command.(type) {
	case *instructions.RunCommand:
		return st.runCommand(ctx, i)
	case *instructions.CopyCommand:
		return st.copyCommand(ctx, i, c.Parents)
	case *instructions.AddCommand:
		return st.addCommand(ctx, i)
	case *instructions.WorkdirCommand:
		return st.workdir(ctx, i)
	case *instructions.ArgCommand:
		return st.argument(ctx, i)
	case *jailCommand:
		d := i.directive
		return st.commit(ctx, change{config: st.config, author: st.author, comment: d.Text, also: []string{"jail"}, jail: i.edit})
	}
	return st.declare(ctx, c.Command)
}

// declare does a command that changes the configuration alone.
func (st *stage) declare(ctx context.Context, cmd instructions.Command) error {
	next := declare.New(st.config.ImageConfig, st.b.file.Escape)
	next.CmdSet = st.config.CmdSet
	author := st.author
	if m, ok := cmd.(*instructions.MaintainerCommand); ok {
		author = m.Maintainer
	} else if err := next.Apply(cmd, st.env()); err != nil {
		if errors.Is(err, declare.ErrNot) {
			return invalidf("unsupported command type: %s", strings.ToUpper(cmd.Name()))
		}
		return invalid(err)
	}
	return st.commit(ctx, change{config: next, author: author, comment: describe(cmd, next)})
}

// argument declares an argument. Its history tells it; nothing else changes.
func (st *stage) argument(ctx context.Context, cmd *instructions.ArgCommand) error {
	if err := declare.Expand(cmd, st.lex, st.env()); err != nil {
		return invalid(err)
	}
	st.args = st.args.clone()
	for _, kv := range cmd.Args {
		st.args.declared[kv.Key] = kv.Value
		st.b.noteArgument(kv.Key)
	}
	return st.commit(ctx, change{config: st.config, author: st.author, comment: describe(cmd, st.config)})
}

// change is a step's result, to be made or found.
type change struct {
	config  *declare.Config
	author  string
	comment string                              // of a step that no container made: "#(nop)" is put before it
	files   bool                                // the comment is about files; Docker puts one blank less before it
	command []string                            // of RUN: what was run
	also    []string                            // what else the result depends on
	hidden  bool                                // not all of also shows in the command, so an image's history cannot stand for it
	jail    func(*imageformat.JailConfig) error // changes xc's part of the configuration; nil: nothing
	// layer makes the step's layer; nil when there is none. done is called when the layer was read.
	layer func(ctx context.Context) (tar io.ReadCloser, done func(ok bool), err error)
}

// commit makes the step's image the stage's, from the cache where it is there.
func (st *stage) commit(ctx context.Context, c change) error {
	words := c.command
	switch {
	case words != nil:
	case c.files:
		words = append(c.config.ShellWords(), "#(nop) "+c.comment)
	default:
		words = append(c.config.ShellWords(), "#(nop) ", c.comment)
	}
	in := inputs{
		Parent: st.image.ID, Platform: st.platform, Author: c.author, Command: strings.Join(words, " "), Config: c.config.ImageConfig,
		Also: append(c.also, st.b.set.key()...),
	}
	if st.row.takes(c, st.author) {
		st.row.steps, st.config = append(st.row.steps, in.Command), c.config
		return nil
	}
	in.Before, st.row.steps = st.row.steps, nil
	key, err := in.key()
	if err != nil {
		return err
	}
	if !st.b.req.NoCache {
		end, err := st.b.s.cache.begin(ctx, key)
		if err != nil {
			return err
		}
		defer end()
		if img, ok := st.cached(ctx, key, c); ok {
			st.report(engine.BuildEvent{Kind: engine.BuildCached})
			st.adopt(img, c)
			return nil
		}
	}
	img, found, err := st.resume(ctx, in, c)
	if err == nil && !found {
		img, err = st.make(ctx, in, c)
	}
	if err != nil {
		return err
	}
	if found {
		st.report(engine.BuildEvent{Kind: engine.BuildCached})
	}
	err = st.b.s.cache.put(ctx, engine.BuildCacheEntry{
		Key: key, Image: img.ID, Parent: in.Parent, Description: in.Command, Created: now(), LastUsed: now(), Uses: 1,
	})
	if err != nil {
		return err
	}
	st.adopt(img, c)
	return nil
}

// cached finds the step's image and holds it.
func (st *stage) cached(ctx context.Context, key string, c change) (engine.Image, bool) {
	id, ok := st.b.s.cache.find(key)
	if !ok || !st.b.serves(id, c) {
		return engine.Image{}, false
	}
	err := st.b.hold(id)
	var img engine.Image
	if err == nil {
		img, err = st.b.s.Images.Lookup(ctx, string(id), nil)
	}
	if err == nil {
		return img, true
	}
	// The image was removed, or its layers are lost: the step is done again.
	if err := st.b.s.cache.remove(ctx, key); err != nil {
		st.b.s.Log.WarnContext(ctx, "forget a step whose image is gone", "image", id, "error", err)
	}
	return img, false
}

// resume finds the step in the history of the images that were named as a cache. Once one of them has a step, no other is asked.
func (st *stage) resume(ctx context.Context, in inputs, c change) (engine.Image, bool, error) {
	if c.hidden || st.b.req.NoCache {
		return engine.Image{}, false, nil
	}
	for _, like := range st.likes {
		id, ok, err := st.b.s.Images.Resume(ctx, st.newImage(in, c), like)
		if err != nil {
			return engine.Image{}, false, err
		}
		if !ok {
			continue
		}
		st.likes = []engine.ImageID{like}
		if err := st.b.hold(id); err != nil {
			return engine.Image{}, false, err
		}
		img, err := st.b.s.Images.Lookup(ctx, string(id), nil)
		return img, err == nil, err
	}
	return engine.Image{}, false, nil
}

func (st *stage) newImage(in inputs, c change) engine.NewImage {
	return engine.NewImage{
		Parent: in.Parent, Platform: in.Platform, Config: in.Config, Before: in.Before, CreatedBy: in.Command, Author: in.Author,
		Created: st.b.set.created, Intermediate: true, Jail: c.jail,
	}
}

// make does the step.
func (st *stage) make(ctx context.Context, in inputs, c change) (engine.Image, error) {
	n := st.newImage(in, c)
	done := func(bool) {}
	if c.layer != nil {
		tar, finish, err := c.layer(ctx)
		if err != nil {
			return engine.Image{}, err
		}
		defer tar.Close()
		n.Layer, done = tar, finish
	}
	id, err := st.b.s.Images.Create(ctx, n)
	st.b.s.Failpoint("build.committed")
	if err == nil {
		err = st.b.hold(id)
	}
	done(err == nil)
	if err != nil {
		return engine.Image{}, err
	}
	return st.b.s.Images.Lookup(ctx, string(id), nil)
}

func (st *stage) adopt(img engine.Image, c change) {
	st.image, st.config, st.author = img, c.config, c.author
	if c.jail != nil {
		// What xc's part says is told in Docker's words too.
		st.config = declare.New(img.Config, st.b.file.Escape)
	}
}

// await returns an earlier stage when it is done. One that the plan does not have is built now, in the voice of the stage
// that asks for it.
func (b *build) await(ctx context.Context, by *stage, i int) (*stage, error) {
	b.mu.Lock()
	st := b.stages[i]
	late := st == nil
	if late {
		st = newStage(b, i, b.total, by.report)
		b.stages[i] = st
	}
	b.mu.Unlock()
	if late {
		if err := st.run(ctx); err != nil {
			return nil, err
		}
	}
	select {
	case <-st.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if st.err != nil {
		return nil, context.Canceled // it tells its error itself
	}
	return st, nil
}

package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/declare"
	"github.com/xcengine/xc/engine/internal/fstree"
)

// runCommand runs a command in a container upon the stage's image.
func (st *stage) runCommand(ctx context.Context, cmd *instructions.RunCommand) error {
	if err := declare.Expand(cmd, st.lex, st.env()); err != nil {
		return invalid(err)
	}
	words, script, err := st.runWords(cmd)
	if err != nil {
		return err
	}
	for _, d := range instructions.GetDevices(cmd) {
		if d.Required {
			return invalidf("RUN asks for the device %s, and builds get none", d.Name)
		}
	}
	network := instructions.GetNetwork(cmd)
	if network == instructions.NetworkHost && st.b.req.Confined {
		return forbidden("only root may build with the network host")
	}
	args := st.args.env(st.config.Process.Env)
	m, err := st.mounts(ctx, instructions.GetMounts(cmd))
	if err != nil {
		return err
	}
	if script != nil {
		m.addScript(st.b.dir, words[0], script.Data)
	}
	defer m.close(ctx)
	r := &running{st: st, words: words, env: args, mounts: m, network: network}
	return st.commit(ctx, change{
		config: st.config, author: st.author, command: st.args.withArguments(args, words),
		also: append(m.keys, "network="+string(r.network)+st.b.set.hostKey()), hidden: len(m.keys) > 0, layer: r.layer,
	})
}

// scriptDir is where a heredoc that names its own interpreter is found by it: where BuildKit has it, or on hosts whose /dev takes
// no directories in the root. It goes before the step's changes are looked at.
func (s *Service) scriptDir() string {
	if s.Host.OS == "freebsd" {
		return "/.pipes"
	}
	return "/dev/pipes"
}

// runWords are a command's words as they are executed. A heredoc alone is the shell's whole script, or one of its own.
func (st *stage) runWords(cmd *instructions.RunCommand) (words []string, script *instructions.ShellInlineFile, err error) {
	line := cmd.ShellDependantCmdLine
	if len(cmd.Files) == 0 {
		return st.config.Line(line), nil, nil
	}
	if len(line.CmdLine) != 1 || !line.PrependShell {
		return nil, nil, invalidf("parsing produced an invalid run command: %v", line.CmdLine)
	}
	first := cmd.Files[0]
	if first.Chomp {
		first.Data = parser.ChompHeredocContent(first.Data)
	}
	switch alone := parser.MustParseHeredoc(line.CmdLine[0]) != nil; {
	case alone && strings.HasPrefix(first.Data, "#!"):
		return []string{path.Join(st.b.s.scriptDir(), first.Name)}, &first, nil
	case alone:
		return append(st.config.ShellWords(), first.Data), nil, nil
	}
	full := line.CmdLine[0]
	for _, f := range cmd.Files {
		full += "\n" + f.Data + f.Name
	}
	return append(st.config.ShellWords(), full), nil, nil
}

// running is one RUN step's container.
type running struct {
	st      *stage
	words   []string
	env     []string
	mounts  *mounts
	network instructions.NetworkMode
	stubs   []string // what was made for mounts to stand on, outermost first
}

// layer runs the command and gives what it changed. After an error no container is left.
func (r *running) layer(ctx context.Context) (io.ReadCloser, func(bool), error) {
	if r.st.image.ID == "" {
		return nil, nil, invalidf("exec: %q: stat %s: no such file or directory", r.words[0], r.words[0])
	}
	b := r.st.b
	if err := r.st.openMounts(ctx, r.mounts); err != nil {
		return nil, nil, err
	}
	made, err := b.s.Containers.Create(ctx, r.request())
	if err != nil {
		return nil, nil, err
	}
	b.s.Failpoint("build.made")
	r.st.report(engine.BuildEvent{Kind: engine.BuildRunning, Container: made.ID})
	if err = r.makeTargets(ctx, made.ID); err == nil {
		err = r.execute(ctx, string(made.ID))
	}
	if err == nil {
		err = r.dropStubs(ctx, made.ID)
	}
	if err != nil {
		r.remove(ctx, made.ID, false)
		return nil, nil, err
	}
	b.s.Failpoint("build.ran")
	diff, err := b.s.Roots.RootDiff(ctx, made.ID)
	if err != nil {
		r.remove(ctx, made.ID, false)
		return nil, nil, err
	}
	return diff, func(ok bool) { r.remove(ctx, made.ID, ok) }, nil
}

// makeTargets makes what the step's mounts and the image's volumes stand on: were it left to the OCI runtime, each would give
// it modes of its own.
func (r *running) makeTargets(ctx context.Context, id engine.ContainerID) error {
	if len(r.mounts.specs)+len(r.st.config.VolumePaths) == 0 {
		return nil
	}
	tree, err := r.tree(ctx, id)
	if err != nil {
		return err
	}
	defer tree.Close()
	for _, m := range r.mounts.specs {
		missing, err := missing(tree, m.Target)
		if err != nil {
			return err
		}
		r.stubs = append(r.stubs, missing...)
		info, err := os.Stat(m.Source)
		if err := makeTarget(tree, m.Target, m.Kind == engine.MountBind && err == nil && !info.IsDir()); err != nil {
			return err
		}
	}
	for _, v := range r.st.config.VolumePaths {
		if err := makeTarget(tree, v, false); err != nil {
			return err
		}
	}
	return nil
}

func makeTarget(tree *fstree.Tree, target string, isFile bool) error {
	made := tree.MakeAll
	if isFile {
		made = tree.MakeFile
	}
	p, err := made(target)
	if err != nil {
		return err
	}
	return p.Close()
}

// tree is a container's root.
func (r *running) tree(ctx context.Context, id engine.ContainerID) (*fstree.Tree, error) {
	at, err := r.st.b.s.Roots.Mount(ctx, id)
	if err != nil {
		return nil, err
	}
	return fstree.Open(at)
}

// dropStubs removes what was made for mounts and is still as it was made, so that the image has nothing of them, as with
// BuildKit (executor/stubs.go).
func (r *running) dropStubs(ctx context.Context, id engine.ContainerID) error {
	if len(r.stubs) == 0 {
		return nil
	}
	tree, err := r.tree(ctx, id)
	if err != nil {
		return err
	}
	defer tree.Close()
	for _, at := range slices.Backward(r.stubs) {
		if err := dropStub(tree, at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func dropStub(tree *fstree.Tree, at string) error {
	p, err := tree.Find(at, false)
	if err != nil {
		return err
	}
	defer p.Close()
	st, err := p.Dir.Lstat(p.Name)
	if err != nil {
		return err
	}
	used := !st.Mode.IsRegular() || st.Size > 0
	if st.Mode.IsDir() {
		dir, err := p.OpenDir()
		if err != nil {
			return err
		}
		names, err := dir.Names()
		if err := errors.Join(err, dir.Close()); err != nil {
			return err
		}
		used = len(names) > 0
	}
	if used {
		return nil
	}
	return p.Dir.RemoveAll(p.Name)
}

// remove takes the container away, unless it is to stay.
func (r *running) remove(ctx context.Context, id engine.ContainerID, ok bool) {
	b := r.st.b
	keep := !b.req.RemoveFailed
	if ok {
		keep = b.req.KeepContainers
	}
	if keep && ctx.Err() == nil {
		err := b.s.Containers.Keep(ctx, string(id))
		if err == nil {
			return
		}
		b.s.Log.WarnContext(ctx, "a step's container cannot stay", "container", id, "error", err)
	}
	err := b.s.Containers.Remove(context.WithoutCancel(ctx), string(id), engine.RemoveOptions{Force: true, Volumes: true})
	if err != nil && engine.KindOf(err) != engine.NotFound {
		b.s.Log.WarnContext(ctx, "a step's container stays", "container", id, "error", err)
		return
	}
	r.st.report(engine.BuildEvent{Kind: engine.BuildRemoved, Container: id})
}

func (r *running) request() engine.CreateRequest {
	st, req := r.st, r.st.b.req
	config := st.config.ImageConfig
	spec := engine.Spec{
		ImageRef: string(st.image.ID), Hostname: st.b.set.hostname,
		Process: engine.ProcessSpec{
			// One empty word takes the image's entry point away.
			Entrypoint: []string{""}, Cmd: r.words, Env: slices.Concat(r.mounts.env, config.Process.Env, r.env),
			WorkDir: config.Process.WorkDir, User: config.Process.User,
		},
		SecretEnv: r.mounts.secrets,
		Health:    &engine.HealthSpec{Test: []string{"NONE"}}, Mounts: r.mounts.specs, Network: req.Network, Resources: req.Resources,
		Security: req.Security, Transient: true, Bare: true, Log: engine.LogSpec{Driver: "none"}, // its output goes to who builds
	}
	switch r.network {
	case instructions.NetworkNone:
		spec.Network.Mode = "none"
	case instructions.NetworkHost:
		spec.Network.Mode = "host"
	}
	platform := st.platform
	return engine.CreateRequest{Platform: &platform, Spec: spec}
}

// execute starts the container, passes its output on and waits for its end.
func (r *running) execute(ctx context.Context, id string) error {
	c := r.st.b.s.Containers
	streams, err := c.Attach(ctx, id, engine.AttachOptions{Stdout: true, Stderr: true, Stream: true})
	if err != nil {
		return err
	}
	defer streams.Close()
	ended, err := c.Wait(ctx, id, engine.WaitNextExit)
	if err != nil {
		return err
	}
	delivered := make(chan error, 1)
	go func() {
		delivered <- streams.Run(ctx, engine.Stdio{Stdout: output{r.st.report, false}, Stderr: output{r.st.report, true}})
	}()
	if err := c.Start(ctx, id); err != nil {
		return errors.Join(err, streams.Close())
	}
	if err := <-delivered; err != nil {
		return err
	}
	select {
	case end := <-ended:
		return r.verdict(end)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *running) verdict(end engine.WaitResult) error {
	if end.ExitCode == 0 && end.Err == "" {
		return nil
	}
	e := &engine.Error{
		Op: "build", Kind: engine.Internal, Resource: engine.ResourceBuild, Reason: engine.ReasonStepFailed,
		Args: []string{strings.Join(r.words, " "), strconv.Itoa(end.ExitCode)},
	}
	if end.Err != "" {
		e.Err = fmt.Errorf("%s", end.Err)
	}
	return e
}

// output passes on what a container writes.
type output struct {
	report engine.BuildFunc
	stderr bool
}

// Write implements io.Writer.
func (o output) Write(p []byte) (int, error) {
	o.report(engine.BuildEvent{Kind: engine.BuildOutput, Stderr: o.stderr, Data: p})
	return len(p), nil
}

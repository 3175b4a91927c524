package builder

import (
	"context"
	"io"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/declare"
	"github.com/xcengine/xc/engine/internal/fstree"
)

// inRoot changes a clone of the stage's image and gives what was changed.
func (st *stage) inRoot(ctx context.Context, edit func(root string) error) (io.ReadCloser, func(bool), error) {
	roots := st.b.s.Roots
	id := engine.ContainerID(engine.NewID())
	remove := func(bool) {
		if err := roots.Remove(context.WithoutCancel(ctx), id); err != nil {
			st.b.s.Log.WarnContext(ctx, "a step's root stays", "root", id, "error", err)
		}
	}
	err := roots.Create(ctx, id, st.image.Top, nil)
	var at string
	if err == nil {
		at, err = roots.Mount(ctx, id)
	}
	if err == nil {
		err = edit(at)
	}
	st.b.s.Failpoint("build.copied")
	var diff io.ReadCloser
	if err == nil {
		diff, err = roots.RootDiff(ctx, id)
	}
	if err != nil {
		remove(false)
		return nil, nil, err
	}
	return diff, remove, nil
}

// workdir sets the directory of the commands to come and makes it.
func (st *stage) workdir(ctx context.Context, cmd *instructions.WorkdirCommand) error {
	next := declare.New(st.config.ImageConfig, st.b.file.Escape)
	next.CmdSet = st.config.CmdSet
	if err := next.Apply(cmd, st.env()); err != nil {
		return invalid(err)
	}
	dir := next.Process.WorkDir
	return st.commit(ctx, change{
		config: next, author: st.author, comment: "WORKDIR " + dir, files: true,
		layer: func(ctx context.Context) (io.ReadCloser, func(bool), error) {
			return st.inRoot(ctx, func(root string) error {
				tree, err := fstree.Open(root)
				if err != nil {
					return err
				}
				defer tree.Close()
				made, err := makeDirs(tree, dir, nil)
				if err != nil {
					return err
				}
				return made.Close()
			})
		},
	})
}

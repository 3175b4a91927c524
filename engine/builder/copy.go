package builder

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/internal/declare"
	"github.com/xcengine/xc/engine/internal/fstree"
)

// copying is one COPY or ADD on its way.
type copying struct {
	st       *stage
	name     string // COPY, ADD
	items    []item
	dest     string // as written
	chown    string
	chmod    *fs.FileMode
	parents  bool
	patterns []string
	exclude  *patternmatcher.PatternMatcher
	foreign  bool // the files' owners mean nothing here
	link     bool // --link: the layer depends on nothing of the stage, so no link of it is followed
}

// item is one source.
type item struct {
	src     *source
	path    string // in the source's tree
	name    string // in a directory that it is copied into
	sum     string // of its content, hexadecimal
	keep    string // --parents: the directories that are kept
	isDir   bool
	extract bool // it is a tar, whose files are meant
}

// kind says what the item is, as history shows it.
func (it item) kind() string {
	if it.isDir {
		return "dir:"
	}
	return "file:"
}

func (st *stage) copyCommand(ctx context.Context, cmd *instructions.CopyCommand, parents bool) error {
	c := &copying{
		st: st, name: "COPY", parents: parents, patterns: cmd.ExcludePatterns, foreign: cmd.From == "", link: cmd.Link,
	}
	if err := c.expand(cmd, &cmd.SourcesAndDest); err != nil {
		return err
	}
	if err := c.options(cmd.DestPath, cmd.Chown, cmd.Chmod); err != nil {
		return err
	}
	if len(cmd.SourcePaths) > 0 {
		src, err := st.source(ctx, cmd.From)
		if err != nil {
			return err
		}
		for _, name := range cmd.SourcePaths {
			if err := c.find(ctx, src, name, cmd.From == ""); err != nil {
				return err
			}
		}
	}
	if err := c.inline(ctx, cmd.SourceContents); err != nil {
		return err
	}
	return c.commit(ctx)
}

// expand replaces variables in the command, and in the contents of its heredocs that are to be expanded.
func (c *copying) expand(cmd instructions.Command, words *instructions.SourcesAndDest) error {
	env := c.st.env()
	if err := declare.Expand(cmd, c.st.lex, env); err != nil {
		return invalid(err)
	}
	raw := shell.NewLex(c.st.b.file.Escape)
	raw.RawQuotes, raw.RawEscapes = true, true
	return invalid(words.ExpandRaw(func(word string) (string, error) {
		out, _, err := raw.ProcessWord(word, env)
		return out, err
	}))
}

func (c *copying) options(dest, chown, chmod string) error {
	c.dest, c.chown = dest, chown
	if chmod != "" {
		n, err := strconv.ParseUint(chmod, 8, 32)
		if err != nil || n > 0o7777 {
			return invalidf("invalid chmod parameter: '%s'. it should be octal string and between 0 and 07777", chmod)
		}
		mode := fs.FileMode(n & 0o777)
		for bit, m := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
			if n&bit != 0 {
				mode |= m
			}
		}
		c.chmod = &mode
	}
	if len(c.patterns) > 0 {
		var err error
		if c.exclude, err = patternmatcher.New(c.patterns); err != nil {
			return invalid(err)
		}
	}
	return nil
}

// failed is an error of finding sources, in Docker's frame.
func (c *copying) failed(err error) error {
	var e *engine.Error
	if errors.As(err, &e) && e.Err != nil {
		err = e.Err
	}
	return invalidf("%s failed: %w", c.name, err)
}

// find adds what a source path means in a tree.
func (c *copying) find(ctx context.Context, src *source, name string, context bool) error {
	if clean := path.Clean(name); clean == ".." || strings.HasPrefix(clean, "../") {
		return c.failed(fmt.Errorf("forbidden path outside the build context: %s ()", name))
	}
	found := []string{path.Clean("/" + name)}
	if wild(name) {
		var err error
		if found, err = src.match(name); err != nil {
			return c.failed(err)
		}
	}
	for _, at := range found {
		it, err := c.look(ctx, src, at)
		switch {
		case err == nil:
		case context && strings.HasSuffix(err.Error(), "file does not exist"):
			return c.failed(fmt.Errorf("file not found in build context or excluded by .dockerignore: stat %s: file does not exist", strings.TrimPrefix(at, "/")))
		default:
			return c.failed(err)
		}
		if c.parents {
			it.keep = kept(name, at, it.isDir)
		}
		c.items = append(c.items, it)
	}
	return nil
}

// kept are the directories of a source that --parents keeps: those after "/./" when the pattern has one.
func kept(pattern, at string, isDir bool) string {
	depth := 0
	if before, _, ok := strings.Cut(pattern, "/./"); ok {
		depth = len(strings.Split(strings.Trim(path.Clean("/"+before), "/"), "/"))
	}
	words := strings.Split(strings.Trim(at, "/"), "/")
	if !isDir {
		words = words[:len(words)-1]
	}
	return path.Join(words[min(depth, len(words)):]...)
}

// look says what stands at a path.
func (c *copying) look(ctx context.Context, src *source, at string) (item, error) {
	it := item{src: src, path: at, name: path.Base(at)}
	tree, err := fstree.Open(src.dir)
	if err != nil {
		return it, err
	}
	defer tree.Close()
	p, err := tree.Find(at, true)
	if err != nil {
		return it, notThere(at, err)
	}
	defer p.Close()
	st, err := p.Dir.Lstat(p.Name)
	if err != nil {
		return it, err
	}
	it.isDir = st.Mode.IsDir()
	it.sum, err = src.digest(ctx, at)
	return it, err
}

// commit does the command, unless it is in the cache.
func (c *copying) commit(ctx context.Context) error {
	if len(c.items) == 0 {
		return c.failed(errors.New("no source files were specified"))
	}
	if len(c.items) > 1 && !strings.HasSuffix(c.dest, "/") && path.Base(c.dest) != "." {
		return invalidf("When using %s with more than one source file, the destination must be a directory and end with a /", c.name)
	}
	var flags strings.Builder
	if c.chown != "" {
		fmt.Fprintf(&flags, "--chown=%s ", c.chown)
	}
	if c.chmod != nil {
		fmt.Fprintf(&flags, "--chmod=%o ", fstree.Permissions(*c.chmod))
	}
	also := []string{fmt.Sprintf("%q %t %t %q %q", c.patterns, c.parents, c.link, flags.String(), c.st.config.Process.WorkDir)}
	kind := "multi:"
	if len(c.items) == 1 {
		kind = c.items[0].kind()
	}
	for _, it := range c.items {
		also = append(also, fmt.Sprintf("%q %q %q %q %t", it.kind(), it.sum, it.name, it.keep, it.extract))
	}
	// The digest that history shows is over all that the result depends on, so that history can serve as a cache.
	sum := sha256.Sum256([]byte(strings.Join(also, "\n")))
	return c.st.commit(ctx, change{
		config: c.st.config, author: c.st.author, also: also, files: true, layer: c.layer,
		comment: fmt.Sprintf("%s %s%s%x in %s ", c.name, flags.String(), kind, sum, c.dest),
	})
}

// layer copies the files into a clone of the stage's image and gives what that changed.
func (c *copying) layer(ctx context.Context) (io.ReadCloser, func(bool), error) {
	return c.st.inRoot(ctx, func(root string) error {
		if err := c.write(ctx, root); err != nil {
			return invalidf("failed to copy files: %w", err)
		}
		return nil
	})
}

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

// write copies every source to its place below the root.
func (c *copying) write(ctx context.Context, root string) error {
	tree, err := fstree.Open(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	owner, err := c.owner(tree)
	if err != nil {
		return err
	}
	dest := c.dest
	if !path.IsAbs(dest) {
		dest = path.Join("/", c.st.config.Process.WorkDir, dest)
	}
	intoDir := strings.HasSuffix(c.dest, "/") || path.Base(c.dest) == "." || len(c.items) > 1 || c.parents
	for _, it := range c.items {
		w := &writer{owner: owner, mode: c.chmod, exclude: c.exclude}
		to := path.Join(dest, it.keep)
		if c.link {
			dir := to
			if !it.isDir && !it.extract && !intoDir {
				dir = path.Dir(to)
			}
			if err := replaceLinks(tree, dir); err != nil {
				return err
			}
		}
		switch {
		case it.extract:
			err = c.extract(ctx, tree, root, it, to, owner)
		case it.isDir:
			err = w.directory(ctx, tree, it, to)
		default:
			err = w.file(ctx, tree, it, to, intoDir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ownerIn finds "user[:group]" in the accounts of a root.
func ownerIn(tree *fstree.Tree, spec string) (*accounts.Owner, error) {
	files, err := accounts.Read(tree.OpenFile)
	if err != nil {
		return nil, err
	}
	return files.Owner(spec)
}

// owner is whom the copies are given to: whom the command names, else root; files of a stage or image keep their own.
func (c *copying) owner(tree *fstree.Tree) (*accounts.Owner, error) {
	switch {
	case c.chown != "":
		spec := c.chown
		if _, err := strconv.ParseUint(spec, 10, 32); err == nil {
			spec += ":" + spec // the same number is the group's
		}
		o, err := ownerIn(tree, spec)
		if err != nil {
			return nil, fmt.Errorf("unable to convert uid/gid chown string to host mapping: %w", err)
		}
		return o, nil
	case c.foreign:
		return &accounts.Owner{}, nil
	}
	return keepOwner, nil
}

// directory copies what a directory holds into another.
func (w *writer) directory(ctx context.Context, tree *fstree.Tree, it item, to string) error {
	from, err := it.open()
	if err != nil {
		return err
	}
	defer from.Close()
	made, err := makeDirs(tree, to, w.owner)
	if err != nil {
		return err
	}
	defer made.Close()
	w.to = made
	return w.contents(ctx, made, from, "")
}

// open opens the directory that the item is.
func (it item) open() (*fstree.Dir, error) {
	tree, err := fstree.Open(it.src.dir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	p, err := tree.Find(it.path, true)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.OpenDir()
}

// file copies a file to a path, or into the directory that stands there or is asked for.
func (w *writer) file(ctx context.Context, tree *fstree.Tree, it item, to string, intoDir bool) error {
	from, err := fstree.Open(it.src.dir)
	if err != nil {
		return err
	}
	defer from.Close()
	p, err := from.Find(it.path, true)
	if err != nil {
		return err
	}
	defer p.Close()
	if intoDir || isDir(tree, to) {
		to = path.Join(to, it.name)
	}
	dir, err := makeDirs(tree, path.Dir(to), w.owner)
	if err != nil {
		return err
	}
	defer dir.Close()
	return w.as(ctx, dir, p.Dir, p.Name, path.Base(to), cmp.Or(strings.TrimPrefix(it.path, "/"), it.name))
}

func isDir(tree *fstree.Tree, name string) bool {
	p, err := tree.Find(name, true)
	if err != nil {
		return false
	}
	defer p.Close()
	st, err := p.Dir.Lstat(p.Name)
	return err == nil && st.Mode.IsDir()
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

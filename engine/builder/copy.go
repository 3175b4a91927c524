package builder

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/declare"
)

// copying is one COPY or ADD on its way.
type copying struct {
	st       *stage
	name     string // COPY, ADD
	items    []item
	dest     string // as written
	chown    string
	chmod    *chmod // nil: modes stay
	parents  bool
	patterns []string
	exclude  *patternmatcher.PatternMatcher
	foreign  bool // the files' owners mean nothing here
	link     bool // --link: the layer depends on nothing of the stage, so no link of it is followed
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
	return invalid(words.ExpandRaw(declare.Words(raw, env)))
}

func (c *copying) options(dest, chown, chmod string) error {
	c.dest, c.chown = dest, chown
	if chmod != "" {
		var err error
		if c.chmod, err = parseChmod(chmod); err != nil {
			return err
		}
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
		fmt.Fprintf(&flags, "--chmod=%s ", c.chmod.text)
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

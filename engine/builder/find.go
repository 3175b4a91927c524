package builder

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/xcengine/xc/engine/internal/fstree"
)

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

// find adds what a source path means in a tree.
func (c *copying) find(ctx context.Context, src *source, name string, context bool) error {
	if err := within(name); err != nil {
		return c.failed(err)
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

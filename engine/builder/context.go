package builder

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fstree"
	"github.com/xcengine/xc/engine/internal/redact"
	"github.com/xcengine/xc/imageformat/layer"
)

// maxRecipe bounds the size of a recipe and of an ignore file, in bytes.
const maxRecipe = 16 << 20

// read brings the context and reads the recipe in it.
func (b *build) read(ctx context.Context) error {
	dir, err := b.bringContext(ctx)
	if err != nil || b.file != nil {
		return err
	}
	b.context = newSource(dir)
	b.context.foreign = true
	text, err := b.recipe()
	if err != nil {
		return err
	}
	if err := b.parse(bytes.NewReader(text), b.recipeName()); err != nil {
		return err
	}
	return b.ignore(ctx)
}

const jailfileName = "Jailfile"

func (b *build) recipeName() string {
	switch {
	case b.req.Dockerfile != "":
		return b.req.Dockerfile
	case b.req.Format == engine.BuildJailfile:
		return jailfileName
	}
	return "Dockerfile"
}

// isJailfile reports whether the recipe is a Jailfile, by the request's word or by its name, for Docker's clients have no
// word for it.
func (b *build) isJailfile() bool {
	return b.req.Format == engine.BuildJailfile || path.Base(b.req.Dockerfile) == jailfileName
}

// bringContext puts the context into a directory. A URL may also give the recipe itself, which is then all there is.
func (b *build) bringContext(ctx context.Context) (dir string, err error) {
	if b.req.Remote == "" {
		return b.unpack(ctx, b.req.Context)
	}
	if r, ok := parseRepository(b.req.Remote); ok {
		dir, _, err := b.clone(ctx, r)
		if err == nil && b.set.dropGit {
			err = os.RemoveAll(filepath.Join(dir, ".git"))
		}
		return dir, err
	}
	if !isURL(b.req.Remote) {
		return "", invalidf("remote URL %s could not be parsed", b.req.Remote)
	}
	page, err := b.s.Web.Get(ctx, b.req.Remote)
	if err != nil {
		return "", invalidf("failed to download remote context %s: %w", redact.Address(b.req.Remote), err)
	}
	defer page.Close()
	body := bufio.NewReader(page)
	if isText(page.ContentType, body) {
		text, err := readRecipe(redact.Address(b.req.Remote), body)
		if err != nil {
			return "", err
		}
		return "", b.parse(bytes.NewReader(text), redact.Address(b.req.Remote))
	}
	return b.unpack(ctx, body)
}

// isText reports whether a download is a recipe and no archive, by what the server said or else by how it begins.
func isText(contentType string, body *bufio.Reader) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err == nil && kind != "application/octet-stream" && kind != "" {
		return kind == "text/plain"
	}
	head, _ := body.Peek(512)
	return layer.Detect(head) == layer.None && !bytes.Contains(head, []byte{0})
}

func (b *build) unpack(ctx context.Context, r io.Reader) (string, error) {
	dir := filepath.Join(b.dir, "context")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	if r == nil {
		return dir, nil
	}
	err := b.s.Files.Write(ctx, engine.MountedRoot{Container: "context", Path: dir}, "/", r, engine.ExtractOptions{})
	if err != nil && !errors.Is(err, io.EOF) {
		return "", invalidf("Error processing tar file(%w)", err) //nolint:staticcheck // Docker's words
	}
	// Who sent the tar may still be sending its end.
	_, err = io.Copy(io.Discard, r)
	return dir, err
}

// recipe reads the recipe's text. A name in lower case serves when none was given and there is no other, as with Docker.
func (b *build) recipe() ([]byte, error) {
	name := b.recipeName()
	if err := within(name); err != nil {
		return nil, err
	}
	text, err := b.context.readFile(name)
	if errors.Is(err, fs.ErrNotExist) && b.req.Dockerfile == "" {
		text, err = b.context.readFile(strings.ToLower(name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &engine.Error{
			Op: "build", Kind: engine.Internal, Resource: engine.ResourceBuild, Err: errors.New("Cannot locate specified Dockerfile: " + name), //nolint:staticcheck // Docker's words
		}
	}
	return text, err
}

// within refuses a path that would leave the context if it could.
func within(name string) error {
	if clean := path.Clean(name); clean == ".." || strings.HasPrefix(clean, "../") {
		return fmt.Errorf("forbidden path outside the build context: %s ()", name)
	}
	return nil
}

// readFile reads a small file of the tree.
func (s *source) readFile(name string) ([]byte, error) {
	f, err := fstree.OpenFile(s.dir, path.Join("/", name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRecipe(name, f)
}

// readRecipe refuses what is too large: a part of a recipe is another recipe.
func readRecipe(name string, r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxRecipe+1))
	if err == nil && len(text) > maxRecipe {
		return nil, invalidf("%s is larger than the %d MiB that a recipe or an ignore file may have", name, maxRecipe>>20)
	}
	return text, err
}

// ignore takes away from the context what its ignore file names. Clients that send a tar have done so, but for the recipe and
// the ignore file itself, which they must send in any case.
func (b *build) ignore(ctx context.Context) error {
	text, err := b.context.readFile(b.recipeName() + ".dockerignore")
	if errors.Is(err, fs.ErrNotExist) {
		text, err = b.context.readFile(".dockerignore")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
	if err != nil {
		return invalid(err)
	}
	if len(patterns) == 0 {
		return nil
	}
	match, err := patternmatcher.New(patterns)
	if err != nil {
		return invalid(err)
	}
	dir, err := fstree.OpenDir(b.context.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if b.req.Remote != "" {
		return removeIgnored(ctx, dir, "", match)
	}
	for _, name := range []string{".dockerignore", b.recipeName()} {
		if yes, err := match.MatchesOrParentMatches(path.Clean(name)); err != nil || yes {
			if err := errors.Join(err, b.context.remove(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes a file of the tree, if it is there.
func (s *source) remove(name string) error {
	tree, err := fstree.Open(s.dir)
	if err != nil {
		return err
	}
	defer tree.Close()
	p, err := tree.Find(path.Join("/", name), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.Close()
	return p.Dir.RemoveAll(p.Name)
}

// removeIgnored removes what patterns name. A directory stays while something in it is excepted.
func removeIgnored(ctx context.Context, dir *fstree.Dir, at string, match *patternmatcher.PatternMatcher) error {
	names, err := dir.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		here := path.Join(at, name)
		ignored, err := match.MatchesOrParentMatches(here)
		if err != nil {
			return invalid(err)
		}
		st, err := dir.Lstat(name)
		if err != nil {
			return err
		}
		if ignored && !(st.Mode.IsDir() && match.Exclusions()) {
			if err := dir.RemoveAll(name); err != nil {
				return err
			}
			continue
		}
		if !st.Mode.IsDir() {
			continue
		}
		if err := removeBelow(ctx, dir, name, here, match, ignored); err != nil {
			return err
		}
	}
	return nil
}

// removeBelow goes into a directory, and removes it too when it is ignored and nothing is left in it.
func removeBelow(ctx context.Context, dir *fstree.Dir, name, here string, match *patternmatcher.PatternMatcher, ignored bool) error {
	sub, err := dir.OpenDir(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := removeIgnored(ctx, sub, here, match); err != nil || !ignored {
		return err
	}
	left, err := sub.Names()
	if err != nil || len(left) > 0 {
		return err
	}
	return dir.RemoveAll(name)
}

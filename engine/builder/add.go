package builder

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/internal/fstree"
	"github.com/xcengine/xc/engine/internal/redact"
	"github.com/xcengine/xc/imageformat/layer"
)

func (st *stage) addCommand(ctx context.Context, cmd *instructions.AddCommand) error {
	c := &copying{st: st, name: "ADD", patterns: cmd.ExcludePatterns, foreign: true, link: cmd.Link}
	if err := c.expand(cmd, &cmd.SourcesAndDest); err != nil {
		return err
	}
	if err := c.options(cmd.DestPath, cmd.Chown, cmd.Chmod); err != nil {
		return err
	}
	for _, name := range cmd.SourcePaths {
		if err := c.add(ctx, cmd, name); err != nil {
			return err
		}
	}
	if err := c.inline(ctx, cmd.SourceContents); err != nil {
		return err
	}
	return c.commit(ctx)
}

// add adds one source: a repository, a URL, or files of the context.
func (c *copying) add(ctx context.Context, cmd *instructions.AddCommand, name string) error {
	unpack := cmd.Unpack != nil && *cmd.Unpack
	switch repo, isRepo := parseRepository(name); {
	case isRepo:
		if cmd.Checksum != "" && strings.Contains(cmd.Checksum, ":") {
			return invalidf("checksum requires a commit for git sources")
		}
		return c.addRepository(ctx, repo, cmd)
	case isURL(name):
		return c.addURL(ctx, name, cmd.Checksum, unpack)
	}
	if cmd.Checksum != "" {
		return invalidf("checksum requires HTTP(S) sources")
	}
	src, err := c.st.source(ctx, "")
	if err != nil {
		return err
	}
	first := len(c.items)
	if err := c.find(ctx, src, name, true); err != nil {
		return err
	}
	for i := range c.items[first:] {
		it := &c.items[first+i]
		if cmd.Unpack == nil || unpack {
			if it.extract, err = it.isTar(); err != nil {
				return err
			}
		}
	}
	return nil
}

func isURL(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// addURL fetches a file. It belongs to root, may be read by nobody else, and has the time that the server told.
func (c *copying) addURL(ctx context.Context, address, checksum string, unpack bool) error {
	u, err := url.Parse(address)
	if err != nil {
		return c.failed(fmt.Errorf("%s is no address: %w", redact.Address(address), errors.Unwrap(err)))
	}
	page, err := c.st.b.s.Web.Get(ctx, address)
	if err != nil {
		return c.failed(err)
	}
	defer page.Close()
	name := path.Base(path.Clean("/" + u.Path))
	if strings.HasSuffix(u.Path, "/") || name == "/" {
		name = page.Name
	}
	if name == "" && strings.HasSuffix(c.dest, "/") {
		return c.failed(fmt.Errorf("cannot determine filename for source %s", address))
	}
	it, err := c.st.b.download(page, cmp.Or(name, "__unnamed__"), checksum)
	if err != nil {
		return c.failed(err)
	}
	if unpack {
		if it.extract, err = it.isTar(); err != nil {
			return err
		}
	}
	c.items = append(c.items, it)
	return nil
}

// download keeps a page in a directory of its own.
func (b *build) download(page Page, name, checksum string) (item, error) {
	dir, err := os.MkdirTemp(b.dir, "fetched-")
	if err != nil {
		return item{}, err
	}
	file := filepath.Join(dir, path.Base(path.Join("/", name)))
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return item{}, err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), page)
	if err := errors.Join(err, f.Close()); err != nil {
		return item{}, err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if checksum != "" {
		if want, err := digest.Parse(checksum); err != nil || want.Encoded() != sum {
			return item{}, errors.Join(err, fmt.Errorf("digest mismatch sha256:%s: %s", sum, checksum))
		}
	}
	modified := page.Modified
	if modified.IsZero() {
		modified = time.Unix(0, 0)
	}
	if err := os.Chtimes(file, modified, modified); err != nil {
		return item{}, err
	}
	src := newSource(dir)
	src.foreign = true
	return item{src: src, path: "/" + filepath.Base(file), name: filepath.Base(file), sum: sum}, nil
}

// inline adds the files that the recipe itself holds.
func (c *copying) inline(ctx context.Context, files []instructions.SourceContent) error {
	for _, f := range files {
		dir, err := os.MkdirTemp(c.st.b.dir, "inline-")
		if err != nil {
			return err
		}
		name := path.Base(path.Join("/", f.Path))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(f.Data), 0o600); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil { // whatever the umask is
			return err
		}
		src := newSource(dir)
		src.foreign = true
		it, err := c.look(ctx, src, "/"+name)
		if err != nil {
			return err
		}
		c.items = append(c.items, it)
	}
	return nil
}

// isTar reports whether a file is a tar, as it is or compressed.
func (it item) isTar() (bool, error) {
	if it.isDir {
		return false, nil
	}
	f, err := fstree.OpenFile(it.src.dir, it.path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	plain, _, err := layer.Decompress(f)
	if err != nil {
		return false, nil //nolint:nilerr // what cannot be read as one is none
	}
	defer plain.Close()
	_, err = tar.NewReader(plain).Next()
	return err == nil, nil
}

// extract puts the files of a tar into a directory, with the owners that the tar says unless the command says others. As with
// dockerd, the directory is the tar's root: neither a name nor a link of the tar leads out of it.
func (c *copying) extract(ctx context.Context, tree *fstree.Tree, root string, it item, to string, owner *accounts.Owner) error {
	made, err := makeDirs(tree, to, owner)
	if err != nil {
		return err
	}
	if err := made.Close(); err != nil {
		return err
	}
	at, err := hostPath(tree, root, to)
	if err != nil {
		return err
	}
	f, err := fstree.OpenFile(it.src.dir, it.path)
	if err != nil {
		return err
	}
	defer f.Close()
	var r io.Reader = f
	if c.chown != "" || c.chmod != nil || c.exclude != nil {
		edited := c.edited(f, owner)
		defer edited.Close()
		r = edited
	}
	return c.st.b.s.Files.Write(ctx, engine.MountedRoot{Container: it.name, Path: at}, "/", r, engine.ExtractOptions{})
}

// edited is a tar with owners, modes and members as the command wants them. Closing it ends the work.
func (c *copying) edited(compressed io.Reader, owner *accounts.Owner) *io.PipeReader {
	r, w := io.Pipe()
	go func() { w.CloseWithError(c.edit(w, compressed, owner)) }()
	return r
}

func (c *copying) edit(w io.Writer, compressed io.Reader, owner *accounts.Owner) error {
	plain, _, err := layer.Decompress(compressed)
	if err != nil {
		return err
	}
	defer plain.Close()
	in, out := tar.NewReader(plain), tar.NewWriter(w)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err != nil {
			return err
		}
		if c.exclude != nil {
			if skip, err := c.exclude.MatchesOrParentMatches(path.Clean(h.Name)); err != nil || skip {
				if err != nil {
					return err
				}
				continue
			}
		}
		if c.chown != "" {
			h.Uid, h.Gid, h.Uname, h.Gname = owner.UID, owner.GID, "", ""
		}
		if c.chmod != nil && h.Typeflag != tar.TypeSymlink {
			h.Mode = int64(fstree.Permissions(c.chmod.mode(h.FileInfo().Mode())))
		}
		h.Format = tar.FormatPAX
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}

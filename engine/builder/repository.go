package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/xcengine/xc/engine/internal/runner"
)

// repository is a git repository with what is wanted of it.
type repository struct {
	remote string
	ref    string // branch, tag or commit; empty is the remote's HEAD
	subdir string
}

var (
	scpLike = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:[^:]`)
	dotGit  = regexp.MustCompile(`\.git$`)
)

// parseRepository reads "remote[#ref[:directory]]". What is no repository's address is told apart: that ends in ".git", has
// a scheme of git's own, or is the host of the kind github.com/owner/name.
func parseRepository(s string) (repository, bool) {
	remote, fragment, _ := strings.Cut(s, "#")
	ref, subdir, _ := strings.Cut(fragment, ":")
	r := repository{remote: remote, ref: ref, subdir: subdir}
	switch {
	case strings.HasPrefix(remote, "git://"), strings.HasPrefix(remote, "ssh://"), scpLike.MatchString(remote):
		return r, true
	case strings.HasPrefix(remote, "github.com/"):
		r.remote = "https://" + remote
		return r, true
	case isURL(remote):
		u, err := url.Parse(remote)
		return r, err == nil && dotGit.MatchString(u.Path)
	}
	return r, false
}

// clone brings one commit of a repository into a directory of its own, and returns the directory and the commit.
func (b *build) clone(ctx context.Context, r repository) (dir, commit string, err error) {
	if strings.HasPrefix(r.remote, "-") || strings.HasPrefix(r.ref, "-") {
		return "", "", invalidf("invalid git reference: %s", r.remote+"#"+r.ref)
	}
	if dir, err = os.MkdirTemp(b.dir, "git-"); err != nil {
		return "", "", err
	}
	err = b.checkOut(ctx, dir, r)
	if err == nil {
		_, err = b.git(ctx, dir, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
	}
	if err != nil {
		return "", "", invalidf("failed to fetch %s: %w", redacted(r.remote), err)
	}
	res, err := b.git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return "", "", err
	}
	if r.subdir != "" {
		// The path is the user's; links in the repository are not to lead out of it.
		if dir, err = newSource(dir).hostPath(path.Join("/", r.subdir)); err != nil {
			return "", "", err
		}
	}
	return dir, strings.TrimSpace(res.Stdout), nil
}

// checkOut fetches what is wanted alone. Servers that give no single commit, or no history cut short, are asked for all.
func (b *build) checkOut(ctx context.Context, dir string, r repository) error {
	if _, err := b.git(ctx, dir, "init", "--quiet"); err != nil {
		return err
	}
	found := "FETCH_HEAD"
	_, err := b.git(ctx, dir, "fetch", "--quiet", "--depth", "1", "--end-of-options", r.remote, cmp.Or(r.ref, "HEAD"))
	if err != nil && ctx.Err() == nil {
		if _, all := b.git(ctx, dir, "fetch", "--quiet", "--tags", "--update-head-ok", "--end-of-options", r.remote, "HEAD", "+refs/heads/*:refs/heads/*"); all != nil {
			return err
		}
		if r.ref != "" {
			found = r.ref
		}
	}
	if _, missing := b.git(ctx, dir, "checkout", "--quiet", "--detach", found, "--"); missing != nil {
		return errors.Join(err, missing)
	}
	return nil
}

// git runs git without asking anyone for anything, and without the protocols that would run programs.
func (b *build) git(ctx context.Context, dir string, argv ...string) (runner.Result, error) {
	env := append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_PROTOCOL_FROM_USER=0", "GIT_CONFIG_NOSYSTEM=1", "HOME="+b.dir)
	return b.s.Runner.Run(ctx, runner.Cmd{Argv: append([]string{"git", "-C", dir}, argv...), Env: env})
}

// redacted is an address without the password that may be in it.
func redacted(remote string) string {
	if u, err := url.Parse(remote); err == nil {
		return u.Redacted()
	}
	return remote
}

func (c *copying) addRepository(ctx context.Context, r repository, cmd *instructions.AddCommand) error {
	dir, commit, err := c.st.b.clone(ctx, r)
	if err != nil {
		return c.failed(err)
	}
	if cmd.Checksum != "" && !strings.HasPrefix(commit, cmd.Checksum) {
		return c.failed(fmt.Errorf("expected checksum to match %s, got %s", cmd.Checksum, commit))
	}
	if cmd.KeepGitDir == nil || !*cmd.KeepGitDir {
		if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
			return err
		}
	}
	src := newSource(dir)
	src.foreign = true
	it, err := c.look(ctx, src, "/")
	if err != nil {
		return c.failed(err)
	}
	c.items = append(c.items, it)
	return nil
}

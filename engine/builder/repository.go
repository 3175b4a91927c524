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

	"github.com/xcengine/xc/engine/internal/redact"
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
	if r.bySSH() && b.req.Confined {
		return "", "", forbidden("only root may fetch by ssh, which takes root's keys")
	}
	if dir, err = os.MkdirTemp(b.dir, "git-"); err != nil {
		return "", "", err
	}
	g := b.git(dir, r)
	err = g.checkOut(ctx, r.ref)
	if err == nil {
		_, err = g.run(ctx, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
	}
	if err != nil {
		return "", "", invalidf("failed to fetch %s: %w", redact.Address(r.remote), err)
	}
	res, err := g.run(ctx, "rev-parse", "HEAD")
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

func (r repository) bySSH() bool {
	return strings.HasPrefix(r.remote, "ssh://") || scpLike.MatchString(r.remote)
}

// git is one clone that is worked on.
type git struct {
	runner runner.Runner
	dir    string
	remote string
	env    []string
}

// git asks nobody for anything, and speaks none of the protocols that would run programs. A name and a password in the
// remote's address go to the address's host, in the environment of git alone: not among its arguments, which every user of the
// host can see, and not into the clone.
func (b *build) git(dir string, r repository) *git {
	g := &git{runner: b.s.Runner, dir: dir, remote: r.remote}
	g.env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_PROTOCOL_FROM_USER=0", "GIT_CONFIG_NOSYSTEM=1", "HOME="+b.dir,
		"GIT_HTTP_LOW_SPEED_LIMIT=1", "GIT_HTTP_LOW_SPEED_TIME=60") // a server that falls silent holds nobody, not even when the daemon is gone
	config := [][2]string{}
	if u, err := url.Parse(r.remote); err == nil && isURL(r.remote) && u.User != nil {
		host := u.Scheme + "://" + u.Host + "/"
		config = append(config, [2]string{"url." + u.Scheme + "://" + u.User.String() + "@" + u.Host + "/.insteadOf", host})
		u.User = nil
		g.remote = u.String()
	}
	config = append(config, [2]string{"remote.origin.url", g.remote}) // what submodules' addresses go out from
	for i, kv := range config {
		g.env = append(g.env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, kv[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, kv[1]))
	}
	g.env = append(g.env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(config)))
	return g
}

func (g *git) run(ctx context.Context, argv ...string) (runner.Result, error) {
	return g.runner.Run(ctx, runner.Cmd{Argv: append([]string{"git", "-C", g.dir}, argv...), Env: g.env})
}

// checkOut fetches what is wanted alone. Servers that give no single commit, or no history cut short, are asked for all.
func (g *git) checkOut(ctx context.Context, ref string) error {
	if _, err := g.run(ctx, "init", "--quiet"); err != nil {
		return err
	}
	found := "FETCH_HEAD"
	_, err := g.run(ctx, "fetch", "--quiet", "--depth", "1", "--end-of-options", g.remote, cmp.Or(ref, "HEAD"))
	if err != nil && ctx.Err() == nil {
		if _, all := g.run(ctx, "fetch", "--quiet", "--tags", "--update-head-ok", "--end-of-options", g.remote, "HEAD", "+refs/heads/*:refs/heads/*"); all != nil {
			return err
		}
		if ref != "" {
			found = ref
		}
	}
	if _, missing := g.run(ctx, "checkout", "--quiet", "--detach", found, "--"); missing != nil {
		return errors.Join(err, missing)
	}
	return nil
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

package integration

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/build"
)

// The arguments by which clients set BuildKit itself are obeyed, and are not told to be unused.
func TestSettingsOfTheBuilder(t *testing.T) {
	e := start(t)
	dir := recipe{text: "FROM testbox\nENV A=1\nRUN --mount=type=cache,target=/c hostname > /f && cat /c/f && exit 9 || echo x > /c/f\n"}.plant(t)
	local := func(args ...string) string {
		t.Helper()
		return e.must(append(append([]string{"build", "-t", "set"}, args...), dir)...)
	}
	local()
	date := []string{"--build-arg", "SOURCE_DATE_EPOCH=1000000000"}
	for i, args := range [][]string{
		{"--build-arg", "BUILDKIT_CACHE_MOUNT_NS=one", "--build-arg", "BUILDKIT_INLINE_CACHE=1"},
		append([]string{"--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=sandbox", "--build-arg", "BUILDKIT_CACHE_MOUNT_NS=two"}, date...),
	} {
		if out := local(args...); strings.Count(out, "Running in") != 1 || strings.Contains(out, "not consumed") {
			t.Errorf("%v:\n%s", args, out)
		}
		if got := e.must("run", "--rm", "set", "cat", "/f"); (got == "sandbox") != (i == 1) {
			t.Errorf("%v: the host was %q", args, got)
		}
	}
	const when = "2001-09-09T01:46:40Z"
	if got := e.must("image", "inspect", "-f", "{{.Created}}", "set"); got != when {
		t.Errorf("it was made %s", got)
	}
	id := e.must("image", "inspect", "-f", "{{.Id}}", "set")
	if got := e.must("history", "--human=false", "--format", "{{.CreatedAt}}", "set"); strings.Count(got, when) != 2 {
		t.Errorf("its steps were made %s", got)
	}
	one := recipe{text: "FROM testbox\nENV A=2\n"}.plant(t)
	made := map[string]bool{}
	for range 2 {
		e.must(append([]string{"build", "--no-cache", "-t", "again", one}, date...)...)
		made[e.must("image", "inspect", "-f", "{{.Id}}", "again")] = true
	}
	if len(made) != 1 || made[id] {
		t.Errorf("of one recipe and time there came %v", made)
	}
	for arg, want := range map[string]string{
		"SOURCE_DATE_EPOCH=abc": "invalid SOURCE_DATE_EPOCH: abc: ", "SOURCE_DATE_EPOCH=999999999999999": "invalid SOURCE_DATE_EPOCH: ",
		"BUILDKIT_CONTEXT_KEEP_GIT_DIR=maybe": "invalid BUILDKIT_CONTEXT_KEEP_GIT_DIR: ",
	} {
		e.fails(1, want, "build", "--no-cache", "--build-arg", arg, dir)
	}
	repository, _ := gitRepository(t)
	if out, err := output("git", "-C", repository, "-c", "user.name=a", "-c", "user.email=a@example.test", "rm", "-q", ".dockerignore"); err != nil {
		t.Fatal(err, out)
	}
	if out, err := output("git", "-C", repository, "-c", "user.name=a", "-c", "user.email=a@example.test", "commit", "-q", "-m", "all"); err != nil {
		t.Fatal(err, out)
	}
	remote := web(t, repository) + "/repo.git"
	for keep, want := range map[string]bool{"": true, "1": true, "0": false} {
		resp, err := e.client().ImageBuild(t.Context(), nil, build.ImageBuildOptions{
			RemoteContext: remote, Tags: []string{"cloned"}, Remove: true, BuildArgs: map[string]*string{"BUILDKIT_CONTEXT_KEEP_GIT_DIR": &keep},
		})
		if err == nil {
			err = errors.Join(told(resp.Body), resp.Body.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if r := e.docker("run", "--rm", "cloned", "cat", "/x/.git/HEAD"); (r.code == 0) != want {
			t.Errorf("with %q: %d %s", keep, r.code, r.err)
		}
	}
}

// Steps that lock the same caches come to their end, in whatever order and however often they name them.
func TestCacheMountsDoNotBlockEachOther(t *testing.T) {
	e := start(t)
	const locked = "RUN --mount=type=cache,sharing=locked,target="
	for name, text := range map[string]string{
		"twice in one step":   "FROM testbox\n" + locked + "/a,id=x --mount=type=cache,sharing=locked,target=/b,id=x echo one > /a/f && cat /b/f\n",
		"locked and shared":   "FROM testbox\n" + locked + "/a,id=x --mount=type=cache,target=/b,id=x echo one > /a/f && cat /b/f\n",
		"waiting for a stage": "FROM testbox AS a\nRUN sleep 1\n" + locked + "/a,id=x echo a > /f\nFROM testbox\n" + locked + "/a,id=x --mount=from=a,target=/m cat /m/f\n",
		"filled by a stage":   "FROM testbox AS a\nRUN sleep 1\n" + locked + "/a,id=x echo a > /f\nFROM testbox\n" + locked + "/a,id=x --mount=type=cache,from=a,target=/m cat /m/f\n",
		"crosswise": "FROM testbox AS a\n" + locked + "/a,id=x --mount=type=cache,sharing=locked,target=/b,id=y sleep 0.3 && echo a > /f\n" +
			"FROM testbox AS b\n" + locked + "/a,id=y --mount=type=cache,sharing=locked,target=/b,id=x sleep 0.3 && echo b > /f\n" +
			"FROM testbox\nCOPY --from=a /f /a\nCOPY --from=b /f /b\n",
	} {
		t.Run(name, func(t *testing.T) {
			e := e.as(t)
			e.must("build", "--no-cache", recipe{text: text}.plant(t))
		})
	}
}

// What is in the cache waits for no lock: only who runs needs it.
func TestCachedStepsLockNothing(t *testing.T) {
	e := start(t)
	const locked = "FROM testbox\nRUN --mount=type=cache,sharing=locked,target=/c "
	done := recipe{text: locked + "echo done > /c/f\n"}.plant(t)
	e.must("build", done)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	long := e.command(ctx, "build", recipe{text: locked + "sleep 1000\n"}.plant(t))
	if err := long.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other step runs", func() bool { return e.must("ps", "-q") != "" })
	if out := e.must("build", done); !strings.Contains(out, "Using cache") {
		t.Errorf("built again:\n%s", out)
	}
	cancel()
	long.Wait() //nolint:errcheck // it was killed
	eventually(t, "the other step is gone", func() bool { return e.must("ps", "-aq") == "" })
}

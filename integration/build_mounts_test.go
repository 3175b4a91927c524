package integration

import (
	"context"
	"strings"
	"testing"
)

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

package images

import (
	"testing"

	"github.com/xcengine/xc/engine"
)

func FuzzReference(f *testing.F) {
	for _, s := range []string{"x", "a/b:1", "localhost:5000/x@sha256:" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "sha256:abc", "docker.io/library/x:latest", ":", "@", "x:1@sha256:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		target, err := parseTarget("find", ref)
		if err != nil {
			if engine.KindOf(err) != engine.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		if target.name == nil {
			return
		}
		// What is kept is read back as itself, and its repository begins it.
		kept := target.name.String()
		named, ok := keptName(kept)
		if !ok || nameKey(named).String() != kept {
			t.Errorf("%q is kept as %q, which is read as %v", ref, kept, named)
		}
		if repo := repositoryOf(kept); repo != named.Name() {
			t.Errorf("%q: repository %q instead of %q", kept, repo, named.Name())
		}
	})
}

func FuzzChanges(f *testing.F) {
	for _, s := range []string{"CMD x", `ENTRYPOINT ["a"]`, "ENV A=$B", "EXPOSE 1-65535/tcp ${X:-80}", "HEALTHCHECK NONE", "VOLUME [\"/x\"]", "WORKDIR ../..", "LABEL a=\"b", "ONBUILD RUN x", "USER a\\\n:b", "STOPSIGNAL 9", "ENV x <<EOF\ny\nEOF"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, change string) {
		base := engine.ImageConfig{Process: engine.ProcessSpec{Env: []string{"A=1"}}, Labels: map[string]string{"k": "v"}}
		got, err := applyChanges(base, []string{change})
		if len(base.Process.Env) != 1 || base.Process.Env[0] != "A=1" || len(base.Labels) != 1 {
			t.Fatal("the caller's configuration changed")
		}
		if err != nil {
			if engine.KindOf(err) != engine.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		for _, p := range got.ExposedPorts {
			if q, ok := parsePort(formatPort(p)); !ok || q != p {
				t.Errorf("port %v", p)
			}
		}
	})
}

package overlay

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
)

func TestMountOptions(t *testing.T) {
	for _, c := range []struct {
		lowers      []string
		upper, work string
		want        string
	}{
		{[]string{"/s/a"}, "/s/u", "/s/w", "lowerdir=/s/a,upperdir=/s/u,workdir=/s/w,index=off,metacopy=off,redirect_dir=off"},
		{[]string{"/s/a", "/s/b"}, "/u", "/w", "lowerdir=/s/a:/s/b,upperdir=/u,workdir=/w,index=off,metacopy=off,redirect_dir=off"},
		{[]string{`/s:1/a,b\c`}, "/s:1/u,", "/w", `lowerdir=/s\:1/a\,b\\c,upperdir=/s:1/u\,,workdir=/w,index=off,metacopy=off,redirect_dir=off`},
	} {
		if diff := cmp.Diff(c.want, mountOptions(c.lowers, c.upper, c.work)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPaths(t *testing.T) {
	p := paths{"/s"}
	got := p.lowers(layers.Chain{"sha256:bb", "sha256:aa"})
	if diff := cmp.Diff([]string{"/s/layers/sha256-bb", "/s/layers/sha256-aa"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"/s/empty"}, p.lowers(nil)); diff != "" {
		t.Error(diff)
	}
	r := p.root(engine.ContainerID("c"))
	if diff := cmp.Diff([]string{"/s/roots/c/upper", "/s/roots/c/work", "/s/roots/c/merged"}, []string{r.upper(), r.work(), r.merged()}); diff != "" {
		t.Error(diff)
	}
	if got := procName(17); got != "/proc/self/fd/17" {
		t.Error(got)
	}
}

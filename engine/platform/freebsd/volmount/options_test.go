package volmount

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

// words renders a list for comparison: "name" or "name=value".
func words(r request) string {
	if r.nfs != nil {
		return "mount_nfs " + strings.Join(r.nfs, " ")
	}
	var out []string
	for _, p := range r.list {
		s := p.Name
		if p.Value != nil {
			s += "=" + strings.TrimSuffix(string(p.Value), "\x00")
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestRender(t *testing.T) {
	for _, c := range []struct{ name, fsType, device, options, want string }{
		{"bind", "none", "/srv", "bind", "fstype=nullfs fspath=/t target=/srv"},
		{"read-only bind", "none", "/srv", "rbind,ro,rprivate,noexec", "fstype=nullfs fspath=/t target=/srv ro noexec"},
		{"nullfs by name", "nullfs", "/srv", "nosuid", "fstype=nullfs fspath=/t target=/srv nosuid"},
		{"tmpfs", "tmpfs", "tmpfs", "size=100m,uid=1000,nodev,nr_inodes=50,mode=1777", "fstype=tmpfs fspath=/t from=tmpfs size=100m uid=1000 inodes=50 mode=1777"},
		{"ufs", "ufs", "/dev/da0p2", "", "fstype=ufs fspath=/t from=/dev/da0p2"},
		{"nfs", "nfs", ":/export", "addr=192.0.2.1,rw,nfsvers=4.1,nolock", "mount_nfs -o rw,nfsv4,minorversion=1,retrycnt=1 192.0.2.1:/export /t"},
		{"nfs over IPv6", "nfs", ":/export", "addr=2001:db8::1,timeo=5", "mount_nfs -o timeout=5,retrycnt=1 [2001:db8::1]:/export /t"},
		{"nfs4 by name", "nfs4", "files:/export", "soft", "mount_nfs -o nfsv4,soft,retrycnt=1 files:/export /t"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := render(c.fsType, c.device, c.options, "/t")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, words(r)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	for _, fsType := range []string{"none", "cifs"} {
		if _, err := render(fsType, "//s/x", "", "/t"); !errors.Is(err, engine.NotImplemented) {
			t.Errorf("%s: %v", fsType, err)
		}
	}
}

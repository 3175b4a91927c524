package volmount

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	resolve := func(_ context.Context, host string) (netip.Addr, error) {
		if host != "files.example" {
			return netip.Addr{}, errors.New("no such host")
		}
		return netip.MustParseAddr("192.0.2.7"), nil
	}
	for _, c := range []struct {
		name, fsType, device, options string
		want                          request
		err                           string
	}{
		{name: "tmpfs", fsType: "tmpfs", device: "tmpfs", options: "size=100m,uid=1000,nosuid", want: request{flags: msNosuid, data: "size=100m,uid=1000"}},
		{name: "bind", fsType: "none", device: "/srv", options: "bind,ro,rw,noexec", want: request{flags: msBind | msNoexec}},
		{name: "propagation", fsType: "none", device: "/srv", options: "rbind,rshared", want: request{flags: msBind | msRec | msShared}},
		{name: "nothing", fsType: "ext4", device: "/dev/sdx"},
		{name: "nfs by address", fsType: "nfs", device: ":/x", options: "addr=192.0.2.1,rw", want: request{data: "addr=192.0.2.1"}},
		{name: "nfs by name", fsType: "nfs", device: ":/x", options: "addr=files.example,nolock", want: request{data: "addr=192.0.2.7,nolock"}},
		{name: "nfs4 by name", fsType: "nfs4", device: ":/x", options: "addr=files.example", want: request{data: "addr=192.0.2.7"}},
		{name: "nfs by unknown name", fsType: "nfs", device: ":/x", options: "addr=nowhere", err: "error resolving passed in network volume address: no such host"},
		{name: "cifs by device", fsType: "cifs", device: "//files.example/share", options: "username=a", want: request{device: "//192.0.2.7/share", data: "username=a"}},
		{name: "cifs by address", fsType: "cifs", device: "//192.0.2.9/share", options: "", want: request{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(t.Context(), c.fsType, c.device, c.options, "/t", resolve)
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			want.fsType, want.target = c.fsType, "/t"
			if want.device == "" {
				want.device = c.device
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(request{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSecretsAreNotTold(t *testing.T) {
	r := request{device: "//s/x", target: "/t", data: "username=a,password=hush,pass=hush"}
	got := r.failed("mount", 0x1000, errors.New("refused")).Error()
	if want := "mount //s/x:/t, flags: 0x1000, data: username=a,password=********,pass=********: refused"; got != want {
		t.Errorf("got %q", got)
	}
	if got := (request{target: "/t"}).failed("remount", 0, errors.New("x")).Error(); got != "remount /t: x" || strings.Contains(got, "flags") {
		t.Errorf("got %q", got)
	}
}

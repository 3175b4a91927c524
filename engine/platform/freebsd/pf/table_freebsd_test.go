package pf

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTablesInTheKernel(t *testing.T) {
	if !present() || os.Geteuid() != 0 {
		t.Skip("needs root and pf (kldload pf)")
	}
	const name = "xc:network:pf-test"
	pfctl := func(args ...string) []string {
		t.Helper()
		out, err := exec.Command("/sbin/pfctl", append([]string{"-q", "-t", name, "-T"}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	t.Cleanup(func() { pfctl("kill") })
	for _, want := range [][]string{{"10.9.9.2", "10.9.9.3", "fd00:9::1"}, {"10.9.9.3", "10.9.9.4"}, nil} {
		var addrs []netip.Addr
		for _, a := range want {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		if err := setTable(name, addrs); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, pfctl("show")); len(want) > 0 && diff != "" {
			t.Error(diff)
		} else if got := pfctl("show"); len(want) == 0 && len(got) > 0 {
			t.Errorf("left %v", got)
		}
	}
}

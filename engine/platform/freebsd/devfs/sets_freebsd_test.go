package devfs

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetsAreThoseOfTheTool(t *testing.T) {
	out, err := exec.Command("/sbin/devfs", "rule", "showsets").Output()
	if err != nil {
		t.Skipf("devfs rule showsets: %v", err)
	}
	var want []int
	for word := range strings.FieldsSeq(string(out)) {
		n, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, n)
	}
	got, err := Sets()
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

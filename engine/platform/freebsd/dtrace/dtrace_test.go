package dtrace

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDwatch(t *testing.T) {
	if diff := cmp.Diff([]string{"/usr/sbin/dwatch", "-j", "7", "-F", "syscall"}, Dwatch(7, nil)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"/usr/sbin/dwatch", "-j", "7", "-X", "open"}, Dwatch(7, []string{"-X", "open"})); diff != "" {
		t.Error(diff)
	}
}

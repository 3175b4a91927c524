package jail

import "testing"

func TestKnows(t *testing.T) {
	for param, want := range map[string]bool{
		"name": true, "host.hostname": true, "allow.raw_sockets": true, "allow.mount": true, "allow.mount.devfs": true, "children.max": true,
		"nosuch": false, "allow.nosuch": false, "allow.mount.nosuch": false, "": false,
	} {
		if got := Knows(param); got != want {
			t.Errorf("%q is known: %v", param, got)
		}
	}
}

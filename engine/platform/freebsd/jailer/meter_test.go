package jailer

import (
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	const ms = time.Millisecond
	var all meters
	m := all.of("a")
	for i, step := range []struct{ living, counted, want time.Duration }{
		{300 * ms, 0, 300 * ms},
		{900 * ms, 0, 900 * ms},
		{1100 * ms, 1000 * ms, 1100 * ms},
		{100 * ms, 2000 * ms, 2000 * ms},  // one that used two seconds has ended
		{400 * ms, 2000 * ms, 2300 * ms},  // and the account has not gone on
		{900 * ms, 3000 * ms, 3000 * ms},  // it is ahead again
		{1000 * ms, 3000 * ms, 3100 * ms}, //
		{0, 3000 * ms, 3100 * ms},         // the rest ended; the account has yet to say so
		{0, 4000 * ms, 4000 * ms},
	} {
		if got := m.read(step.living, step.counted); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
	if all.of("a") != m {
		t.Error("a jail has two meters")
	}
	all.drop("a")
	if got := all.of("a").read(0, 0); got != 0 {
		t.Errorf("after its end: %v", got)
	}
}

package cgroup

import (
	"os"
	"testing"
)

func TestGroupIn(t *testing.T) {
	const text = "9:name=systemd:/init\n4:cpu,cpuacct:/a:b\n0::/unified\nmalformed\n"
	for name, want := range map[string]string{"cpu": "/a:b", "cpuacct": "/a:b", "": "/unified", "name=systemd": "/init"} {
		if got, ok := groupIn(text, name); got != want || !ok {
			t.Errorf("%q: %q, %v; want %q", name, got, ok, want)
		}
	}
	if got, ok := groupIn(text, "memory"); ok {
		t.Errorf("memory: %q", got)
	}
}

func TestWarmMovesNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("writing control groups needs root")
	}
	h, err := Find()
	if err != nil {
		t.Skip(err)
	}
	before, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Any().Warm(); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile("/proc/self/cgroup")
	if err != nil || string(after) != string(before) {
		t.Errorf("%v: before %q, after %q", err, before, after)
	}
	if err := (Hierarchy{"nosuch", "/"}).Warm(); err == nil {
		t.Error("a hierarchy that is not there was warmed")
	}
}

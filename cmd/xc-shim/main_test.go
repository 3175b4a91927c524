package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/shim"
)

// build makes the program as it is shipped.
func build(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "xc-shim")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

func supervision(t testing.TB) engine.Supervision {
	dir := t.TempDir()
	return engine.Supervision{
		ID: engine.ContainerID(engine.NewID()), Dir: dir,
		Log: engine.LogFile{Driver: "json-file", Path: filepath.Join(dir, "log"), MaxFiles: 1},
	}
}

func TestUsage(t *testing.T) {
	if err := run(context.Background(), nil, os.Stderr); err == nil || !strings.Contains(err.Error(), "usage") {
		t.Error(err)
	}
}

// Started by hand it has no connection to a daemon, says so and goes.
func TestWithoutDaemon(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.Command(build(t), dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "xc-shim: ") {
		t.Errorf("%v: %s", err, out)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
}

// maxResident is what the design allows a container's shim.
const maxResident = 6 << 10 // KiB

func TestResidentMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	h, err := shim.NewClient(build(t), slog.Default()).Start(t.Context(), supervision(t))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	kib := 0
	for line := range strings.Lines(string(b)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &kib)
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "Rss") || strings.HasPrefix(line, "Threads") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if kib == 0 || kib > maxResident {
		t.Errorf("%d KiB resident", kib)
	}
}

// BenchmarkStart is the share of a container's start that bringing up its shim takes.
func BenchmarkStart(b *testing.B) {
	c := shim.NewClient(build(b), slog.Default())
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		sup := supervision(b)
		b.StartTimer()
		begin := time.Now()
		h, err := c.Start(b.Context(), sup)
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
		b.StopTimer()
		if err := h.Release(b.Context()); err != nil {
			b.Fatal(err)
		}
		h.Close()
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "median-µs")
}

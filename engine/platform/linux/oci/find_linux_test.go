package oci_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/linux/oci"
)

// script writes a stand-in for an OCI runtime that notes each of its runs.
func script(t *testing.T, dir, body string) (path string, runs func() int) {
	t.Helper()
	path, log := filepath.Join(dir, "standin"), filepath.Join(dir, "log")
	text := "#!/bin/sh\necho \"$@\" >> " + log + "\n" + body
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, func() int {
		b, err := os.ReadFile(log)
		if err != nil {
			return 0
		}
		return strings.Count(string(b), " run ")
	}
}

func openOnce(t *testing.T, cfg oci.Config) (*oci.Runtime, error) {
	t.Helper()
	r, err := oci.New(t.Context(), cfg)
	if err == nil {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	return r, err
}

func TestTrialIsRemembered(t *testing.T) {
	init := buildInit(t)
	dir, state := t.TempDir(), t.TempDir()
	path, runs := script(t, dir, "case \"$*\" in --version) echo standin version 7;; esac\n")
	cfg := config(t, path, init, state, engine.Owner(engine.NewID()[:8]))
	for range 2 {
		r, err := openOnce(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if c := r.Capabilities(); c.Runtime != "standin 7" || c.RuntimePath != path {
			t.Errorf("capabilities: %+v", c)
		}
		if n := runs(); n != 1 {
			t.Fatalf("%d trials", n)
		}
	}
	// Another program in its place is tried.
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if _, err := openOnce(t, cfg); err != nil {
		t.Fatal(err)
	}
	if n := runs(); n != 2 {
		t.Errorf("%d trials after the program changed", n)
	}
	left, err := filepath.Glob(filepath.Join(state, "*", "*"))
	if host := filepath.Join(state, "netns", engine.HostNetNS); err != nil || !slices.Equal(left, []string{host}) {
		t.Errorf("left by the trials: %q, %v", left, err)
	}
}

func TestNoRuntimeWorks(t *testing.T) {
	init := buildInit(t)
	dir, state := t.TempDir(), t.TempDir()
	path, runs := script(t, dir, "case \"$*\" in *\" run \"*) echo out of order >&2; exit 1;; esac\n")
	cfg := config(t, path, init, state, engine.Owner(engine.NewID()[:8]))
	for i := range 2 { // a bad outcome is not the last word: what was in the way may be gone
		_, err := openOnce(t, cfg)
		if engine.KindOf(err) != engine.Unavailable || !strings.Contains(err.Error(), path+": out of order") || !strings.Contains(err.Error(), "apt-get install runc") {
			t.Errorf("%v", err)
		}
		if n := runs(); n <= i {
			t.Errorf("%d trials in %d starts", n, i+1)
		}
	}
	cfg.Runtime = "nosuch-runtime"
	if _, err := openOnce(t, cfg); !strings.Contains(err.Error(), "nosuch-runtime: it is not installed") {
		t.Errorf("%v", err)
	}
	cfg.InitPath = "relative"
	if _, err := openOnce(t, cfg); engine.KindOf(err) != engine.Invalid {
		t.Errorf("%v", err)
	}
}

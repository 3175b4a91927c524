// Package enginetest runs the whole engine on a machine in memory, for tests of what is above it.
package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/daemon"
	"github.com/xcengine/xc/engine/layers/copy"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/nativeapi"
	"github.com/xcengine/xc/engine/nativeapi/wire"
	"github.com/xcengine/xc/engine/platform/fake"
)

// Image is the name of the image that every daemon has. Its programs are those of package fake.
const Image = "box:latest"

// Interface is a bridge of the administrator's that every daemon's machine has.
const Interface = "xc0"

// shims give the fake host's shims as the containers want them.
type shims struct{ *fake.Shims }

func (s shims) Start(ctx context.Context, sup engine.Supervision) (lifecycle.Shim, error) {
	return s.Shims.Start(ctx, sup)
}

func (s shims) Open(ctx context.Context, id engine.ContainerID, dir string) (lifecycle.Shim, error) {
	return s.Shims.Open(ctx, id, dir)
}

// Daemon runs a daemon on a machine of its own until the test's end.
func Daemon(t *testing.T) *daemon.Daemon {
	t.Helper()
	dir, host := t.TempDir(), fake.NewHost()
	plumber := &fake.Plumber{}
	plumber.AddInterface(Interface)
	cfg := daemon.Defaults()
	cfg.StateDir = dir
	d, err := daemon.Open(t.Context(), cfg, func(ctx context.Context, _ daemon.HostConfig) (daemon.Backends, error) {
		storage, err := copy.Open(ctx, filepath.Join(dir, "copy"))
		return daemon.Backends{
			Native: engine.Platform{OS: "linux", Architecture: "amd64"}, Runtime: host.Runtime(), Shims: shims{host.Shims()},
			Layers: storage, Plumber: plumber, Firewall: &fake.Firewall{},
		}, err
	}, daemon.Build{Version: "1"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		host.Shutdown()
	})
	if _, err := d.Images.Import(t.Context(), engine.ImportRequest{Ref: Image}, emptyTar(t)); err != nil {
		t.Fatal(err)
	}
	return d
}

func emptyTar(t *testing.T) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// Services are what a daemon's native API serves.
func Services(d *daemon.Daemon) nativeapi.Services {
	return nativeapi.Services{
		System: d, Containers: d.Containers, Execs: d.Containers, Images: d.Images, Networks: d.Networks, Host: d.Platform(),
		Memberships: d.Containers, Volumes: d.Volumes, Builder: d.Builder, Registries: d.Registries,
	}
}

// Serve serves the native API until the test's end, to clients that it takes for the user uid, and returns its socket. Services
// that are not asked may be left out. Users other than root have no rights.
func Serve(t *testing.T, s nativeapi.Services, uid int) (socket string) {
	t.Helper()
	return ServeWith(t, s, uid, func(int) (nativeapi.Rights, bool) { return nativeapi.Rights{}, false })
}

// ServeWith is Serve with a policy.
func ServeWith(t *testing.T, s nativeapi.Services, uid int, policy nativeapi.Policy) (socket string) {
	t.Helper()
	return ServeConfig(t, nativeapi.Config{Services: s, Policy: policy, Inert: func(*os.File) (bool, error) { return true, nil }}, uid)
}

// ServeConfig is Serve with a configuration, of which it completes what has nothing to do with rights.
func ServeConfig(t *testing.T, c nativeapi.Config, uid int) (socket string) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	c.Version, c.Log = wire.Version{Version: "1", API: "v1"}, slog.New(slog.DiscardHandler)
	c.Listen = func(_ context.Context, path string) (net.Listener, error) { return net.Listen("unix", path) }
	c.PeerUID = func(net.Conn) (int, error) { return uid, nil }
	server := nativeapi.New(c)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

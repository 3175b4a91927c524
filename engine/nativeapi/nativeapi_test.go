package nativeapi_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi"
	"github.com/xcengine/xc/engine/nativeapi/client"
)

type backend struct {
	err  error
	made *engine.NetworkRequest
}

func (b backend) Info(context.Context) (engine.Info, error) {
	return engine.Info{Version: "1", Running: 2, Driver: "overlay"}, b.err
}

func (b backend) Create(_ context.Context, req engine.NetworkRequest) (engine.NetworkID, string, error) {
	if b.made != nil {
		*b.made = req
	}
	return "0123", "", b.err
}

func (b backend) Reload(context.Context) error { return b.err }

func serve(t *testing.T, b backend, uid int) *client.Client {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := nativeapi.New(nativeapi.Config{
		Backend: b, Networks: b, Version: nativeapi.Version{Version: "1", API: "v1"}, Log: slog.New(slog.DiscardHandler),
		PeerUID: func(net.Conn) (int, error) { return uid, nil },
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return client.New(l.Addr().String())
}

func TestAnswers(t *testing.T) {
	c := serve(t, backend{}, 0)
	if v, err := c.Version(t.Context()); err != nil || v.API != "v1" {
		t.Errorf("version %+v, %v", v, err)
	}
	if i, err := c.Info(t.Context()); err != nil || i.Containers["running"] != 2 || i.StorageDriver != "overlay" {
		t.Errorf("info %+v, %v", i, err)
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	c := serve(t, backend{err: &engine.Error{Kind: engine.Conflict, Reason: engine.ReasonInUse}}, 0)
	_, err := c.Info(t.Context())
	if engine.KindOf(err) != engine.Conflict || !engine.HasReason(err, engine.ReasonInUse) {
		t.Errorf("got %v", err)
	}
}

func TestOthersThanRootAreRefused(t *testing.T) {
	c := serve(t, backend{}, 1000)
	if _, err := c.Version(t.Context()); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("got %v", err)
	}
}

func TestNoDaemon(t *testing.T) {
	if _, err := client.New(filepath.Join(t.TempDir(), "none")).Info(t.Context()); err == nil {
		t.Error("nobody answered, and there is no error")
	}
}

func TestNetworks(t *testing.T) {
	var made engine.NetworkRequest
	c := serve(t, backend{made: &made}, 0)
	got, err := c.CreateNetwork(t.Context(), nativeapi.NetworkCreate{
		Name: "example", Bridge: "xc0", Alias: "xc0", DefaultRouters: []string{"192.168.17.254", "fd17::fe"}, Subnets: []string{"192.168.17.0/24", "fd17::/64"},
	})
	if err != nil || got.ID != "0123" {
		t.Fatalf("%+v, %v", got, err)
	}
	if made.Driver != "xc" || made.Name != "example" || len(made.Pools) != 2 || !*made.EnableIPv4 || !*made.EnableIPv6 ||
		made.Options["bridge"] != "xc0" || made.Options["alias"] != "xc0" || made.Options["default_router"] != "192.168.17.254,fd17::fe" {
		t.Errorf("asked for %+v", made)
	}
	if _, err := c.CreateNetwork(t.Context(), nativeapi.NetworkCreate{Name: "n", Subnets: []string{"10.0.0.0"}}); engine.KindOf(err) != engine.Invalid {
		t.Errorf("bad subnet: %v", err)
	}
	if err := c.ReloadNetworks(t.Context()); err != nil {
		t.Error(err)
	}
	broken := serve(t, backend{err: &engine.Error{Kind: engine.Unavailable}}, 0)
	if err := broken.ReloadNetworks(t.Context()); engine.KindOf(err) != engine.Unavailable {
		t.Errorf("a failing reload: %v", err)
	}
	if err := serve(t, backend{}, 1001).ReloadNetworks(t.Context()); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("for a user: %v", err)
	}
}

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

type backend struct{ err error }

func (b backend) Info(context.Context) (engine.Info, error) {
	return engine.Info{Version: "1", Running: 2, Driver: "overlay"}, b.err
}

func serve(t *testing.T, b backend, uid int) *client.Client {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := nativeapi.New(nativeapi.Config{
		Backend: b, Version: nativeapi.Version{Version: "1", API: "v1"}, Log: slog.New(slog.DiscardHandler),
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

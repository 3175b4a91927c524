package nativeapi_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/enginetest"
	"github.com/xcengine/xc/engine/nativeapi"
	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// system answers with err, or what it was told to.
type system struct {
	err    error
	events []engine.Event
}

func (b system) Info(context.Context) (engine.Info, error) {
	return engine.Info{Version: "1", Running: 2, Driver: "overlay"}, b.err
}

func (b system) Subscribe(context.Context, engine.EventQuery) ([]engine.Event, <-chan engine.Event, func(), error) {
	ended := make(chan engine.Event)
	close(ended)
	return b.events, ended, func() {}, b.err
}

type networks struct {
	nativeapi.Networks // what is not asked
	err                error
	made               *engine.NetworkRequest
}

func (b networks) Create(_ context.Context, req engine.NetworkRequest) (engine.NetworkID, string, error) {
	if b.made != nil {
		*b.made = req
	}
	return "0123", "", b.err
}

func (b networks) Inspect(context.Context, string) (engine.NetworkDetail, error) {
	return engine.NetworkDetail{}, b.err
}

func (b networks) Reload(context.Context) error { return b.err }

func serve(t *testing.T, s nativeapi.Services, uid int) *client.Client {
	t.Helper()
	return client.New(enginetest.Serve(t, s, uid))
}

// newDaemon runs a daemon on a machine in memory and returns a client of the user uid.
func newDaemon(t *testing.T, uid int) *client.Client {
	t.Helper()
	return serve(t, enginetest.Services(enginetest.Daemon(t)), uid)
}

func TestAnswers(t *testing.T) {
	c := serve(t, nativeapi.Services{System: system{}}, 0)
	if v, err := c.Version(t.Context()); err != nil || v.API != "v1" {
		t.Errorf("version %+v, %v", v, err)
	}
	if i, err := c.Info(t.Context()); err != nil || i.Containers["running"] != 2 || i.StorageDriver != "overlay" {
		t.Errorf("info %+v, %v", i, err)
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	taken := &engine.Error{Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: "web", Reason: engine.ReasonNameTaken, Args: []string{"0123456789abcdef"}}
	c := serve(t, nativeapi.Services{System: system{err: &engine.Error{Op: "x", Kind: engine.Conflict, Err: taken}}}, 0)
	_, err := c.Info(t.Context())
	var e *engine.Error
	if engine.KindOf(err) != engine.Conflict || !engine.HasReason(err, engine.ReasonNameTaken) || !errors.As(err, &e) || e.ID != "web" || len(e.Args) != 1 {
		t.Errorf("got %#v", err)
	}
	if want := "the name web is taken by container 0123456789ab"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestOthersThanRootAreRefused(t *testing.T) {
	c := serve(t, nativeapi.Services{System: system{}}, 1000)
	if _, err := c.Version(t.Context()); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("got %v", err)
	}
}

func TestNoDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none")
	_, err := client.New(socket).Info(t.Context())
	var u *client.Unreachable
	if !errors.As(err, &u) || u.Socket != socket {
		t.Errorf("nobody answered, and the error is %v", err)
	}
}

func TestNetworks(t *testing.T) {
	var made engine.NetworkRequest
	c := serve(t, nativeapi.Services{Networks: networks{made: &made}}, 0)
	got, err := c.CreateNetwork(t.Context(), wire.NetworkCreate{
		Name: "example", Bridge: "xc0", Alias: "xc0", DefaultRouters: []string{"192.168.17.254", "fd17::fe"}, Subnets: []wire.Subnet{{Subnet: "192.168.17.0/24"}, {Subnet: "fd17::/64"}},
	})
	if err != nil || got.ID != "0123" {
		t.Fatalf("%+v, %v", got, err)
	}
	if made.Driver != "xc" || made.Name != "example" || len(made.Pools) != 2 || !*made.EnableIPv4 || !*made.EnableIPv6 ||
		made.Options["bridge"] != "xc0" || made.Options["alias"] != "xc0" || made.Options["default_router"] != "192.168.17.254,fd17::fe" {
		t.Errorf("asked for %+v", made)
	}
	if _, err := c.CreateNetwork(t.Context(), wire.NetworkCreate{Name: "n", Subnets: []wire.Subnet{{Subnet: "10.0.0.0"}}}); engine.KindOf(err) != engine.Invalid {
		t.Errorf("bad subnet: %v", err)
	}
	if err := c.ReloadNetworks(t.Context()); err != nil {
		t.Error(err)
	}
	broken := serve(t, nativeapi.Services{Networks: networks{err: &engine.Error{Kind: engine.Unavailable}}}, 0)
	if err := broken.ReloadNetworks(t.Context()); engine.KindOf(err) != engine.Unavailable {
		t.Errorf("a failing reload: %v", err)
	}
	if err := serve(t, nativeapi.Services{Networks: networks{}}, 1001).ReloadNetworks(t.Context()); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("for a user: %v", err)
	}
}

package db

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/xcengine/xc/engine"
)

func open(t *testing.T, path string) *DB {
	t.Helper()
	d, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestContainersSurviveReopening(t *testing.T) {
	// The name holds what a DSN would take for its own.
	path := filepath.Join(t.TempDir(), "a?b%c #d.db")
	want := engine.Container{
		ID: engine.ContainerID(engine.NewID()), Name: "web", Created: time.Now().UTC(),
		Spec:      engine.Spec{Process: engine.ProcessSpec{Cmd: []string{"a", "b\x00c"}}, Network: engine.NetworkSpec{DNS: []netip.Addr{netip.MustParseAddr("::1")}}},
		Endpoints: map[string]engine.Endpoint{"bridge": {IPv4: netip.MustParsePrefix("172.17.0.2/16")}},
		Status:    engine.Status{State: engine.StateRunning, Pid: 7, Intent: engine.IntentStart},
	}
	d, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.PutContainer(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, path).Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal := cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
	if diff := cmp.Diff([]engine.Container{want}, got, equal); diff != "" {
		t.Error(diff)
	}
}

func TestANameIsHeldOnce(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "xc.db"))
	a, b := engine.Container{ID: "a", Name: "web"}, engine.Container{ID: "b", Name: "web"}
	if err := d.PutContainer(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := d.PutContainer(t.Context(), a); err != nil {
		t.Errorf("writing again: %v", err)
	}
	if err := d.PutContainer(t.Context(), b); !engine.HasReason(err, engine.ReasonNameTaken) {
		t.Errorf("got %v, want name-taken", err)
	}
	if err := d.DeleteContainer(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := d.PutContainer(t.Context(), b); err != nil {
		t.Errorf("after removal: %v", err)
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "xc.db")
	d := open(t, path)
	if _, err := d.sql.Exec(`INSERT INTO migrations (number, name) VALUES (9999, 'later')`); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), path); err == nil {
		t.Error("a newer schema was accepted")
	}
}

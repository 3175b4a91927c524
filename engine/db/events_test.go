package db

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func TestNewestEventsAreKept(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "xc.db"))
	at := time.Unix(1795439375, 420032913).UTC()
	var all []engine.Event
	for i := range 10 {
		e := engine.Event{Time: at.Add(time.Duration(i)), Type: engine.EventContainer, Action: fmt.Sprint(i), ID: "c", Attributes: map[string]string{"name": "web"}}
		all = append(all, e)
		if i%3 == 0 {
			if err := d.AppendEvents(t.Context(), all[max(0, i-2):], 4); err != nil {
				t.Fatal(err)
			}
		}
	}
	for newest, want := range map[int][]engine.Event{100: all[6:], 2: all[8:]} {
		got, err := d.Events(t.Context(), newest)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("newest %d: %s", newest, diff)
		}
	}
}

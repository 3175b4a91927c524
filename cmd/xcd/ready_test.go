package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func TestReady(t *testing.T) {
	socket := t.TempDir() + "/x.sock"
	ready := func(timeout string) (int, string) {
		var out strings.Builder
		code := run(t.Context(), []string{"ready", "--socket", socket, "--timeout", timeout}, &out, &out)
		return code, out.String()
	}
	if code, out := ready("120ms"); code != 1 || !strings.Contains(out, "does not answer on "+socket+" within 120ms") || !strings.Contains(out, "no such file") {
		t.Errorf("without a daemon: %d %s", code, out)
	}
	if code, out := ready("0s"); code != 2 {
		t.Errorf("without time: %d %s", code, out)
	}
	answer := make(chan struct{}) // closed when the daemon has taken up what there was
	go func() {
		time.Sleep(100 * time.Millisecond)
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Error(err)
			return
		}
		time.AfterFunc(200*time.Millisecond, func() { close(answer) })
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-answer
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(wire.Version{Version: "1"}) //nolint:errcheck // the client is there
		})}
		t.Cleanup(func() { server.Close() })
		go server.Serve(l) //nolint:errcheck // closed at the end
	}()
	code, out := ready("30s")
	if code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	select {
	case <-answer:
	default:
		t.Error("ready before the daemon answered")
	}
}

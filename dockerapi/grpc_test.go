package dockerapi_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// callGRPC makes a call as gRPC does and returns what ended it: as a client that knows nothing of the method sees it.
func callGRPC(t *testing.T, conn net.Conn) (status, message string) {
	t.Helper()
	transport := http2.Transport{AllowHTTP: true}
	c, err := transport.NewClientConn(conn)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://d/moby.buildkit.v1.Control/ListWorkers", strings.NewReader("\x00\x00\x00\x00\x00"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	resp, err := c.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all(resp.Body); err != nil {
		t.Fatal(err)
	}
	message, err = url.PathUnescape(resp.Header.Get("Grpc-Message"))
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Get("Grpc-Status"), message
}

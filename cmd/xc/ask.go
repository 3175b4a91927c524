package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/xcengine/xc/engine/nativeapi/client"
)

// answerTimeout bounds the wait for whoever holds a socket.
const answerTimeout = 5 * time.Second

// sockets asks who answers on them; it is the doctor's Asker.
type sockets struct{}

// Native implements doctor.Asker.
func (sockets) Native(ctx context.Context, socket string) (string, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	i, err := client.New(socket).Info(ctx)
	return i.Version, i.Warnings, err
}

// Docker implements doctor.Asker.
func (sockets) Docker(ctx context.Context, socket string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	var d net.Dialer
	c := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) },
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", err
	}
	if s := resp.Header.Get("Server"); s != "" {
		return s, nil
	}
	return "unnamed", nil
}

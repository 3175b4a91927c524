package containers

import (
	"context"
	"net/http"

	"golang.org/x/net/websocket"

	"github.com/xcengine/xc/dockerapi/internal/hijack"
	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

func attachOptions(r *httpx.Request) engine.AttachOptions {
	return engine.AttachOptions{
		Stdin: r.Bool("stdin"), Stdout: r.Bool("stdout"), Stderr: r.Bool("stderr"),
		Stream: r.Bool("stream"), Logs: r.Bool("logs"), DetachKeys: r.Param("detachKeys"),
	}
}

// attach opens the streams while errors can still be told, takes the connection over and moves it.
func (g *group) attach(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	o := attachOptions(r)
	attached, err := g.backend.Attach(ctx, r.Var("name"), o)
	if err != nil {
		return hijack.Refuse(w, err)
	}
	defer attached.Close()
	stream, err := hijack.Take(w, r, attached.TTY())
	if err != nil {
		return err
	}
	defer stream.Close()
	ctx, stop := stream.Watch(ctx)
	defer stop()
	if err = attached.Run(ctx, only(stream.Stdio(o.Stdin && o.Stream), o)); err == nil || ctx.Err() != nil {
		return nil
	}
	stream.Say("Error attaching: " + translate.Message(err))
	return err
}

// only leaves the streams out that the client did not ask for.
func only(io engine.Stdio, o engine.AttachOptions) engine.Stdio {
	if !o.Stdout {
		io.Stdout = nil
	}
	if !o.Stderr {
		io.Stderr = nil
	}
	return io
}

// attachWebSocket is attach for web pages: never multiplexed, and without half-closing, which WebSocket has not.
func (g *group) attachWebSocket(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	o := attachOptions(r)
	if !translate.WebSocketChooses(r.Version) {
		o.Stdin, o.Stdout, o.Stderr = true, true, true
	}
	attached, err := g.backend.Attach(ctx, r.Var("name"), o)
	if err != nil {
		return err
	}
	defer attached.Close()
	server := websocket.Server{Handler: func(conn *websocket.Conn) {
		if translate.WebSocketBinary(r.Version) {
			conn.PayloadType = websocket.BinaryFrame
		}
		in := hijack.NewInput(conn)
		ctx, stop := in.Watch(ctx)
		defer stop()
		io := engine.Stdio{Stdout: conn, Stderr: conn}
		if o.Stdin {
			io.Stdin = in
		}
		if err := attached.Run(ctx, only(io, o)); err != nil && ctx.Err() == nil {
			g.env.Log.Debug("attach by web socket ended", "container", r.Var("name"), "error", err)
		}
	}}
	server.ServeHTTP(w, r.Request)
	return nil
}

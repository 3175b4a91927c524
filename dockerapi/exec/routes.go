package exec

import (
	"context"
	"net/http"

	"github.com/docker/docker/api/types/container"

	"github.com/xcengine/xc/dockerapi/internal/hijack"
	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// group serves the operations on execs.
type group struct {
	backend Backend
	env     httpx.Env
}

// Routes returns the operations on execs.
func Routes(b Backend, env httpx.Env) []httpx.Route {
	g := &group{b, env}
	return []httpx.Route{
		{Method: http.MethodPost, Pattern: "/containers/{name:.*}/exec", Handler: g.create},
		{Method: http.MethodGet, Pattern: "/exec/{id:.*}/json", Handler: g.inspect},
		{Method: http.MethodPost, Pattern: "/exec/{id:.*}/start", Handler: g.start, Stream: true},
		{Method: http.MethodPost, Pattern: "/exec/{id:.*}/resize", Handler: g.resize},
	}
}

func (g *group) create(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	var body container.ExecOptions
	if err := r.ReadJSON(&body); err != nil {
		return err
	}
	spec, err := translate.ExecSpec(body, r.Version)
	if err != nil {
		return err
	}
	id, err := g.backend.CreateExec(ctx, r.Var("name"), spec)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, container.ExecCreateResponse{ID: string(id)})
}

func (g *group) inspect(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	e, err := g.backend.InspectExec(ctx, engine.ExecID(r.Var("id")))
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.InspectExec(e))
}

func (g *group) resize(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	rows, cols, err := translate.Size(r.Param("h"), r.Param("w"))
	if err != nil {
		return err
	}
	if err := g.backend.ResizeExec(ctx, engine.ExecID(r.Var("id")), rows, cols); err != nil {
		return err
	}
	return httpx.WriteStatus(w, http.StatusOK)
}

// start starts a process: detached it answers at once, else it takes the connection over. Whether the client wants frames is
// what it says here, not what it said when it made the exec.
func (g *group) start(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	var body container.ExecStartOptions
	if err := r.ReadJSON(&body); err != nil {
		return err
	}
	o, err := translate.ExecStart(body, r.Version)
	if err != nil {
		return err
	}
	id := r.Var("id")
	attached, err := g.backend.StartExec(ctx, engine.ExecID(id), o)
	if err != nil {
		return translate.During("exec start", id, err)
	}
	if o.Detach {
		return httpx.WriteStatus(w, http.StatusOK)
	}
	defer attached.Close()
	stream, err := hijack.Take(w, r, body.Tty)
	if err != nil {
		return err
	}
	defer stream.Close()
	ctx, stop := stream.Watch(ctx)
	defer stop()
	if err = attached.Run(ctx, stream.Stdio(true)); err == nil || ctx.Err() != nil {
		return nil
	}
	err = translate.During("exec start", id, err)
	stream.Say(translate.Message(err))
	return err
}

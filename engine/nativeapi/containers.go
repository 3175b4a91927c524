package nativeapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Containers are the daemon's containers. ref is a name, id or unambiguous id prefix.
type Containers interface {
	containerStates
	containerQueries
	containerStreams
	containerFiles
}

type containerStates interface {
	Create(ctx context.Context, req engine.CreateRequest) (engine.CreateResult, error)
	Start(ctx context.Context, ref string) error
	Stop(ctx context.Context, ref string, o engine.StopOptions) error
	Restart(ctx context.Context, ref string, o engine.StopOptions) error
	Kill(ctx context.Context, ref string, sig engine.Signal) error
	Pause(ctx context.Context, ref string) error
	Unpause(ctx context.Context, ref string) error
	Rename(ctx context.Context, ref, name string) error
	Remove(ctx context.Context, ref string, o engine.RemoveOptions) error
	// Link ties a running container to its caller: it returns how the container ended, or kills it when ctx ends first. Its ctx must
	// not end with the daemon.
	Link(ctx context.Context, ref string) (engine.WaitResult, error)
	Publish(ctx context.Context, ref string, ports []engine.PortBinding) error
	Unpublish(ctx context.Context, ref string, ports []engine.PortBinding) error
	// Wait is armed when it returns: an end that comes afterwards is not missed. The channel gets one result, or is left
	// silent when ctx ends.
	Wait(ctx context.Context, ref string, cond engine.WaitCondition) (<-chan engine.WaitResult, error)
}

type containerQueries interface {
	Inspect(ctx context.Context, ref string) (engine.Container, error)
	Size(ctx context.Context, ref string) (engine.RootSize, error)
	// Sandbox tells where a container is in the kernel; the zero value says that it does not run.
	Sandbox(id engine.ContainerID) engine.Sandbox
	List(ctx context.Context, q engine.ContainerQuery) ([]engine.ContainerSummary, error)
	Top(ctx context.Context, ref string, psArgs []string) (engine.ProcessTable, error)
	Changes(ctx context.Context, ref string) ([]engine.Change, error)
	// Stats calls each with a sample about every second until ctx ends or each fails; once takes a single one.
	Stats(ctx context.Context, ref string, once bool, each func(engine.Container, engine.Stats) error) error
}

func (s *Server) containerRoutes() []route {
	const one = "/v1/containers/{ref}"
	return []route{
		{pattern: "GET /v1/containers", needs: member, handler: s.listContainers},
		{pattern: "POST /v1/containers", needs: member, handler: s.createContainer},
		{pattern: "GET " + one, needs: ownContainer, handler: s.inspectContainer},
		{pattern: "DELETE " + one, needs: ownContainer, handler: s.removeContainer},
		{pattern: "POST " + one + "/start", needs: ownContainer, handler: s.simple(Containers.Start)},
		{pattern: "POST " + one + "/stop", needs: ownContainer, handler: s.ending(Containers.Stop)},
		{pattern: "POST " + one + "/restart", needs: ownContainer, handler: s.ending(Containers.Restart)},
		{pattern: "POST " + one + "/kill", needs: ownContainer, handler: s.killContainer},
		{pattern: "POST " + one + "/pause", needs: ownContainer, handler: s.simple(Containers.Pause)},
		{pattern: "POST " + one + "/unpause", needs: ownContainer, handler: s.simple(Containers.Unpause)},
		{pattern: "POST " + one + "/rename", needs: ownContainer, handler: s.renameContainer},
		{pattern: "POST " + one + "/commit", needs: imageManager, handler: s.commitContainer},
		{pattern: "GET " + one + "/wait", needs: ownContainer, lasting: true, handler: s.waitContainer},
		{pattern: "GET " + one + "/link", needs: ownContainer, lasting: true, handler: s.linkContainer},
		{pattern: "POST " + one + "/ports", needs: ownContainer, handler: s.changePorts(Containers.Publish, false)},
		{pattern: "DELETE " + one + "/ports", needs: ownContainer, handler: s.changePorts(Containers.Unpublish, true)},
		{pattern: "GET " + one + "/top", needs: ownContainer, handler: s.topContainer},
		{pattern: "GET " + one + "/changes", needs: ownContainer, handler: s.containerChanges},
		{pattern: "GET " + one + "/stats", needs: ownContainer, lasting: true, handler: s.containerStats},
	}
}

// simple serves an operation that has nothing but a container.
func (s *Server) simple(do func(Containers, context.Context, string) error) handler {
	return func(ctx context.Context, c *call) error { return c.done(do(s.cfg.Containers, ctx, c.ref())) }
}

// ending serves an operation that stops a container.
func (s *Server) ending(do func(Containers, context.Context, string, engine.StopOptions) error) handler {
	return func(ctx context.Context, c *call) error {
		var body wire.Stop
		if err := c.read(&body); err != nil {
			return err
		}
		return c.done(do(s.cfg.Containers, ctx, c.ref(), engine.StopOptions{Signal: body.Signal, Timeout: body.Timeout}))
	}
}

// listContainers lists those that run, with all every one. Keys that select, each of which may be repeated: id, name (regular
// expressions), image, state, label, volume, network. size=1 measures, limit=N gives the newest.
func (s *Server) listContainers(ctx context.Context, c *call) error {
	q, err := containerQuery(c)
	if err != nil {
		return err
	}
	rows, err := s.cfg.Containers.List(ctx, q)
	if err != nil {
		return err
	}
	all := []wire.Container{}
	for _, r := range rows {
		if !c.peer.owns(r.Container) {
			continue
		}
		w := s.container(r.Container)
		w.Size = rootSize(r.Size)
		all = append(all, w)
	}
	return c.answer(all)
}

func containerQuery(c *call) (q engine.ContainerQuery, err error) {
	if err := c.flags(map[string]*bool{"all": &q.All, "size": &q.Size}); err != nil {
		return q, err
	}
	v := c.URL.Query()
	if s := v.Get("limit"); s != "" {
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 0 {
			return q, invalid(fmt.Errorf("limit=%s: not a count", s))
		}
	}
	for _, s := range v["exited"] {
		code, err := strconv.Atoi(s)
		if err != nil {
			return q, invalid(fmt.Errorf("exited=%s: not an exit code", s))
		}
		q.Exited = append(q.Exited, code)
	}
	for _, state := range v["state"] {
		if !slices.Contains(engine.States(), engine.State(state)) {
			return q, invalid(fmt.Errorf("state=%s: not a state of a container", state))
		}
		q.States = append(q.States, engine.State(state))
	}
	for _, h := range v["health"] {
		q.Health = append(q.Health, engine.HealthStatus(h))
	}
	q.IDs, q.Names, q.Ancestors, q.Volumes, q.Networks = v["id"], v["name"], v["image"], v["volume"], v["network"]
	q.Before, q.Since = v.Get("before"), v.Get("since")
	q.Labels = labelMatches(v["label"])
	return q, nil
}

// labelMatches reads KEY and KEY=VALUE.
func labelMatches(texts []string) (all []engine.LabelMatch) {
	for _, text := range texts {
		key, value, has := strings.Cut(text, "=")
		all = append(all, engine.LabelMatch{Key: key, Value: value, HasValue: has})
	}
	return all
}

func (s *Server) inspectContainer(ctx context.Context, c *call) error {
	found, err := s.cfg.Containers.Inspect(ctx, c.ref())
	if err != nil {
		return err
	}
	w := s.container(found)
	size, err := c.flag("size")
	if err != nil {
		return err
	}
	if size {
		measured, err := s.cfg.Containers.Size(ctx, string(found.ID))
		if err != nil {
			return err
		}
		w.Size = rootSize(&measured)
	}
	return c.answer(w)
}

func (s *Server) removeContainer(ctx context.Context, c *call) error {
	var o engine.RemoveOptions
	if err := c.flags(map[string]*bool{"force": &o.Force, "volumes": &o.Volumes}); err != nil {
		return err
	}
	return c.done(s.cfg.Containers.Remove(ctx, c.ref(), o))
}

func (s *Server) killContainer(ctx context.Context, c *call) error {
	body := wire.Kill{Signal: "KILL"}
	if err := c.read(&body); err != nil {
		return err
	}
	return c.done(s.cfg.Containers.Kill(ctx, c.ref(), engine.Signal(strings.TrimPrefix(strings.ToUpper(body.Signal), "SIG"))))
}

func (s *Server) renameContainer(ctx context.Context, c *call) error {
	var body wire.Rename
	if err := c.read(&body); err != nil {
		return err
	}
	if body.Name == "" {
		return invalid(errors.New("the new name is missing"))
	}
	return c.done(s.cfg.Containers.Rename(ctx, c.ref(), body.Name))
}

func (s *Server) commitContainer(ctx context.Context, c *call) error {
	var body wire.Commit
	if err := c.read(&body); err != nil {
		return err
	}
	if err := s.own(ctx, c.peer, c); err != nil {
		return err
	}
	id, err := s.cfg.Images.Commit(ctx, engine.CommitRequest{
		Container: c.ref(), Ref: body.Ref, Comment: body.Comment, Author: body.Author, Pause: body.Pause, Changes: body.Changes,
	})
	if err != nil {
		return err
	}
	return c.answer(wire.Committed{ID: string(id)})
}

// waitContainer answers when the container has come to the end that condition names: not-running (the default), next-exit,
// removed. The head of the answer comes at once: from then on no end is missed.
func (s *Server) waitContainer(ctx context.Context, c *call) error {
	result, err := s.cfg.Containers.Wait(ctx, c.ref(), engine.WaitCondition(c.URL.Query().Get("condition")))
	if err != nil {
		return err
	}
	c.lines = true
	if err := c.begin("application/x-ndjson"); err != nil {
		return err
	}
	select {
	case r := <-result:
		return line(c, wire.Waited{ExitCode: r.ExitCode, Error: r.Err})
	case <-ctx.Done():
		return ctx.Err()
	}
}

// linkContainer answers when the container has ended, as wait does; when the client goes before that, the container is killed.
// The daemon's own end kills nothing.
func (s *Server) linkContainer(ctx context.Context, c *call) error {
	ref := c.ref()
	found, err := s.cfg.Containers.Inspect(ctx, ref)
	if err != nil {
		return err
	}
	if !found.Status.State.Alive() {
		return &engine.Error{Op: "link", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonNotRunning}
	}
	c.lines = true
	if err := c.begin("application/x-ndjson"); err != nil {
		return err
	}
	ending := s.listening(ctx)
	linked, cut := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		if ending.Err() == nil {
			cut() // it is the client who has gone
		}
	})
	type end struct {
		engine.WaitResult
		err error
	}
	ended := make(chan end, 1)
	go func() { // it ends with the container, the client, or the engine, which may be after us
		defer cut()
		r, err := s.cfg.Containers.Link(linked, string(found.ID))
		ended <- end{r, err}
	}()
	select {
	case e := <-ended:
		if e.err != nil {
			return e.err
		}
		return line(c, wire.Waited{ExitCode: e.ExitCode, Error: e.Err})
	case <-ending.Done():
		return &engine.Error{Op: "link", Kind: engine.Unavailable, Resource: engine.ResourceContainer, ID: ref}
	}
}

// changePorts serves a change of what a container publishes.
func (s *Server) changePorts(do func(Containers, context.Context, string, []engine.PortBinding) error, pattern bool) handler {
	return func(ctx context.Context, c *call) error {
		var body wire.Ports
		if err := c.read(&body); err != nil {
			return err
		}
		if !c.peer.root && !c.peer.rights.has(GrantPorts) {
			return &engine.Error{Op: "publish", Kind: engine.Forbidden, Resource: engine.ResourceContainer, ID: c.ref(), Err: fmt.Errorf("a published port needs the right %q", GrantPorts)}
		}
		w := &wish{}
		bindings := w.bindings(body.Ports, pattern)
		if len(bindings) == 0 {
			w.failf("no port is named")
		}
		if err := errors.Join(w.errs...); err != nil {
			return invalid(err)
		}
		return c.done(do(s.cfg.Containers, ctx, c.ref(), bindings))
	}
}

// topContainer lists processes; the key arg, which may be repeated, is an argument for ps(1).
func (s *Server) topContainer(ctx context.Context, c *call) error {
	table, err := s.cfg.Containers.Top(ctx, c.ref(), c.URL.Query()["arg"])
	if err != nil {
		return err
	}
	return c.answer(wire.ProcessTable{Titles: table.Titles, Rows: table.Rows})
}

func (s *Server) containerChanges(ctx context.Context, c *call) error {
	changes, err := s.cfg.Containers.Changes(ctx, c.ref())
	if err != nil {
		return err
	}
	all := []wire.Change{}
	for _, ch := range changes {
		kind := map[engine.ChangeKind]string{engine.ChangeAdded: "added", engine.ChangeModified: "modified", engine.ChangeDeleted: "deleted"}[ch.Kind]
		all = append(all, wire.Change{Path: ch.Path, Kind: kind})
	}
	return c.answer(all)
}

// containerStats sends a sample about every second; once=1 one alone.
func (s *Server) containerStats(ctx context.Context, c *call) error {
	once, err := c.flag("once")
	if err != nil {
		return err
	}
	err = s.cfg.Containers.Stats(ctx, c.ref(), once, func(of engine.Container, sample engine.Stats) error {
		return line(c, stats(of, sample))
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

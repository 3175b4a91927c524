package nativeapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Builder makes images by recipes.
type Builder interface {
	Build(ctx context.Context, req engine.BuildRequest, report engine.BuildFunc) (engine.ImageID, error)
	Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error)
}

func (s *Server) buildRoutes() []route {
	return []route{
		{pattern: "POST /v1/build", needs: imageManager, lasting: true, handler: s.build},
		{pattern: "POST /v1/builds/prune", handler: s.pruneBuilds},
	}
}

// build makes an image of a recipe and a context.
func (s *Server) build(ctx context.Context, c *call) error {
	var body wire.Build
	content, err := c.readWith(&body)
	if err != nil {
		return err
	}
	if err := admitBuild(c.peer, body); err != nil {
		return err
	}
	req, err := s.buildRequest(body)
	if err != nil {
		return err
	}
	req.Context, req.Confined = content, !c.peer.root
	if (content == nil) == (req.Remote == "") {
		return invalid(errors.New("a build needs a context or a remote one, not both"))
	}
	var gone error
	_, err = s.cfg.Builder.Build(ctx, req, func(e engine.BuildEvent) {
		if gone == nil {
			gone = line(c, buildEvent(e))
		}
	})
	if err := errors.Join(err, gone); err != nil {
		return err
	}
	return c.ended()
}

// admitBuild refuses what a caller other than root may not have a build do: join networks that are not the caller's, reach
// sockets of the host, and leave containers that would be nobody's.
func admitBuild(p peer, b wire.Build) error {
	if p.root {
		return nil
	}
	refuse := func(format string, args ...any) error {
		return &engine.Error{Op: "build", Kind: engine.Forbidden, Resource: engine.ResourceBuild, Err: fmt.Errorf(format, args...)}
	}
	if m := b.Network.Mode; m != "" && m != "none" {
		return refuse("only root may build with the network %s", m)
	}
	for _, j := range b.Network.Networks {
		if !matches(p.rights.Networks, j.Network) {
			return refuse("user %d may not join the network %s", p.uid, j.Network)
		}
	}
	if len(b.SSH) > 0 {
		// The daemon would connect to any socket that is named, with rights that its caller has not.
		return refuse("only root may give a build an ssh agent: give it a key by a secret instead")
	}
	if b.Keep {
		return refuse("only root may keep the containers of a build")
	}
	return nil
}

func (s *Server) buildRequest(b wire.Build) (engine.BuildRequest, error) {
	w := &wish{}
	req := engine.BuildRequest{
		Remote: b.Remote, Dockerfile: b.File, Tags: b.Tags, Target: b.Target, Args: b.Args, Labels: b.Labels, NoCache: b.NoCache, Pull: b.Pull,
		KeepContainers: b.Keep, RemoveFailed: !b.Keep, KeepLast: b.Debug, CacheFrom: b.CacheFrom, Resources: w.resources(b.Limits), Secrets: b.Secrets, SSH: b.SSH,
		Network: w.network(wire.ContainerCreate{Network: b.Network}),
	}
	if len(b.Network.Networks) > 1 {
		w.failf("the steps of a build have one network")
	}
	if b.EmptyDNS {
		req.Network.DNSFrom = engine.DNSNone
	}
	switch b.Format {
	case "", "dockerfile":
	case "jailfile":
		req.Format = engine.BuildJailfile
	default:
		w.failf("format %q: there are dockerfile and jailfile", b.Format)
	}
	var err error
	if req.Platform, err = s.platform(b.Platform); err != nil {
		w.errs = append(w.errs, err)
	}
	if err := errors.Join(w.errs...); err != nil {
		return req, invalid(err)
	}
	return req, nil
}

// buildEvents names the kinds of what a build tells.
var buildEvents = map[engine.BuildEventKind]string{
	engine.BuildStep: "step", engine.BuildImage: "image", engine.BuildCached: "cached", engine.BuildRunning: "running",
	engine.BuildRemoved: "removed", engine.BuildOutput: "output", engine.BuildTriggers: "triggers", engine.BuildResult: "result",
	engine.BuildDone: "done", engine.BuildTagged: "tagged", engine.BuildWarning: "warning", engine.BuildProgress: "progress",
	engine.BuildKept: "kept",
}

func buildEvent(e engine.BuildEvent) wire.BuildEvent {
	w := wire.BuildEvent{
		Kind: buildEvents[e.Kind], N: e.N, Total: e.Total, Text: e.Text, Image: string(e.Image), Container: string(e.Container), Stderr: e.Stderr, Data: e.Data,
	}
	if e.Kind == engine.BuildProgress {
		p := progress(e.Progress)
		w.Progress = &p
	}
	return w
}

func (s *Server) pruneBuilds(ctx context.Context, c *call) error {
	return s.prune(ctx, c, s.cfg.Builder.Prune)
}

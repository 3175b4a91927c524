package nativeapi

import (
	"context"
	"errors"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
	"github.com/xcengine/xc/imageformat"
)

// Images are the daemon's images. ref is a name, an id, or the beginning of an id; a nil platform means the one that suits the
// host best.
type Images interface {
	imageTransfers
	// Lookup finds an image by a reference, digest or id; one that is not here is NotFound.
	Lookup(ctx context.Context, ref string, platform *engine.Platform) (engine.Image, error)
	Commit(ctx context.Context, req engine.CommitRequest) (engine.ImageID, error)
	Prune(ctx context.Context, q engine.PruneQuery) ([]engine.ImageDeleted, int64, error)
	// Collect removes layers that no image and no container needs any more, and returns how many bytes that freed.
	Collect(ctx context.Context) (int64, error)
}

type imageTransfers interface {
	// Pull reports nothing before the registry has told what the reference names.
	Pull(ctx context.Context, req engine.PullRequest, report engine.ProgressFunc) error
}

func (s *Server) imageRoutes() []route {
	return []route{
		{pattern: "POST /v1/images/pull", lasting: true, handler: s.pullImage},
	}
}

// pullImage fetches an image, or every tag of a repository.
func (s *Server) pullImage(ctx context.Context, c *call) error {
	var body wire.Pull
	if err := c.read(&body); err != nil {
		return err
	}
	p, err := s.platform(body.Platform)
	if err != nil {
		return err
	}
	return reported(c, func(report engine.ProgressFunc) error {
		return s.cfg.Images.Pull(ctx, engine.PullRequest{Ref: body.Ref, Platform: p, All: body.All}, report)
	})
}

// reported sends what an operation reports as lines. One that reports nothing answers no line.
func reported(c *call, do func(engine.ProgressFunc) error) error {
	var gone error
	err := do(func(p engine.Progress) {
		if gone == nil {
			gone = line(c, progress(p))
		}
	})
	if err := errors.Join(err, gone); err != nil {
		return err
	}
	return c.ended()
}

func progress(p engine.Progress) wire.Progress {
	w := wire.Progress{ID: p.ID, Status: p.Status, Current: p.Current, Total: p.Total, Stream: p.Stream}
	switch {
	case p.Aux == nil:
	case p.Aux.Digest != "":
		w.Result = p.Aux.Digest
	default:
		w.Result = string(p.Aux.ID)
	}
	return w
}

// platform reads "os[/arch[/variant]]", where what is left out is the host's. Nothing is nil.
func (s *Server) platform(text string) (*engine.Platform, error) {
	if text == "" {
		return nil, nil
	}
	h := s.cfg.Host
	p, err := imageformat.ParsePlatform(text, imageformat.Platform{OS: h.OS, Architecture: h.Architecture, Variant: h.Variant})
	if err != nil {
		return nil, invalid(err)
	}
	return &engine.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}, nil
}

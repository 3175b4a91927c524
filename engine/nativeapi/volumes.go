package nativeapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Volumes are the daemon's volumes.
type Volumes interface {
	Create(ctx context.Context, req engine.VolumeRequest) (engine.Volume, error)
	Inspect(ctx context.Context, name string) (engine.Volume, error)
	List(ctx context.Context, q engine.VolumeQuery) ([]engine.Volume, error)
	Remove(ctx context.Context, name string, force bool) error
	Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error)
}

func (s *Server) volumeRoutes() []route {
	const one = "/v1/volumes/{ref}"
	return []route{
		{pattern: "GET /v1/volumes", needs: volumeManager, handler: s.listVolumes},
		{pattern: "POST /v1/volumes", needs: volumeManager, handler: s.createVolume},
		{pattern: "POST /v1/volumes/prune", needs: volumeManager, handler: s.pruneVolumes},
		{pattern: "GET " + one, needs: volumeManager, handler: s.inspectVolume},
		{pattern: "DELETE " + one, needs: volumeManager, handler: s.removeVolume},
	}
}

// listVolumes lists volumes by name. Keys that select, each of which may be repeated: name (a regular expression), driver, label;
// dangling=0 or 1 those with or without containers.
func (s *Server) listVolumes(ctx context.Context, c *call) error {
	v := c.URL.Query()
	q := engine.VolumeQuery{Names: v["name"], Drivers: v["driver"], Labels: labelMatches(v["label"])}
	var err error
	if q.Dangling, err = truth(v, "dangling"); err != nil {
		return err
	}
	found, err := s.cfg.Volumes.List(ctx, q)
	if err != nil {
		return err
	}
	all := []wire.Volume{}
	for _, one := range found {
		all = append(all, volume(one))
	}
	return c.answer(all)
}

func (s *Server) inspectVolume(ctx context.Context, c *call) error {
	v, err := s.cfg.Volumes.Inspect(ctx, c.ref())
	if err != nil {
		return err
	}
	return c.answer(volume(v))
}

func volume(v engine.Volume) wire.Volume {
	return wire.Volume{
		Name: v.Name, Driver: v.Driver, Mountpoint: v.Mountpoint, Created: v.Created, Labels: v.Labels, Options: v.Options, Anonymous: v.Anonymous,
	}
}

// createVolume makes a volume. One of that name that is there already is refused: two users may mean different things by it.
func (s *Server) createVolume(ctx context.Context, c *call) error {
	var body wire.VolumeCreate
	if err := c.read(&body); err != nil {
		return err
	}
	opened, err := c.opened(body.Opened)
	if err != nil {
		return err
	}
	if err := s.mayBack(c.peer, body, opened); err != nil {
		return &engine.Error{Op: "create", Kind: engine.Forbidden, Resource: engine.ResourceVolume, ID: body.Name, Err: err}
	}
	req, err := s.volumeRequest(ctx, body)
	if err != nil {
		return err
	}
	if body.Name != "" {
		_, err := s.cfg.Volumes.Inspect(ctx, body.Name)
		switch {
		case err == nil:
			return &engine.Error{Op: "create", Kind: engine.Conflict, Resource: engine.ResourceVolume, ID: body.Name, Reason: engine.ReasonNameTaken}
		case !errors.Is(err, engine.NotFound):
			return err
		}
	}
	v, err := s.cfg.Volumes.Create(ctx, req)
	if err != nil {
		return err
	}
	return c.answer(volume(v))
}

// mayBack tells whether a caller may have a volume of the host's files. It can be mounted to be written to.
func (s *Server) mayBack(p peer, b wire.VolumeCreate, opened map[string]*os.File) error {
	switch {
	case p.root:
		return nil
	case len(b.Options) > 0 && !p.rights.has(Grant(engine.PrivilegePath)):
		return fmt.Errorf("user %d needs the right %q for a volume with options", p.uid, engine.PrivilegePath)
	case b.Device != "":
		return s.mayGive(p, b.Device, true, opened)
	}
	return nil
}

func (s *Server) volumeRequest(ctx context.Context, b wire.VolumeCreate) (engine.VolumeRequest, error) {
	req := engine.VolumeRequest{Name: b.Name, Labels: b.Labels, Options: maps.Clone(b.Options)}
	hints, err := s.volumeHints(ctx, b)
	if err != nil {
		return req, err
	}
	switch b.Driver {
	case "", "local", "directory":
	case "zfs":
		return req, &engine.Error{
			Op: "create", Kind: engine.NotImplemented, Resource: engine.ResourceVolume, ID: b.Name, Reason: engine.ReasonUnsupported,
			Args: []string{"the volume driver zfs", "volumes are directories; give a dataset's mount point with -s, or delegate a dataset to a container with -z"},
		}
	default:
		return req, invalid(fmt.Errorf("there is no volume driver %q: there are directory and local, which mean the same", b.Driver))
	}
	if len(hints) > 0 {
		if req.Labels = maps.Clone(b.Labels); req.Labels == nil {
			req.Labels = map[string]string{}
		}
		for key, value := range hints {
			req.Labels["xc.hint."+key] = value
		}
	}
	if b.Device == "" {
		return req, nil
	}
	if len(b.Options) > 0 {
		return req, invalid(errors.New("a directory that is there has no options"))
	}
	if !path.IsAbs(b.Device) || strings.ContainsRune(b.Device, 0) {
		return req, invalid(fmt.Errorf("device %q: must be an absolute path", b.Device))
	}
	fi, err := os.Stat(b.Device)
	switch {
	case err != nil:
		return req, invalid(fmt.Errorf("device %s: %w", b.Device, err))
	case !fi.IsDir():
		return req, invalid(fmt.Errorf("device %s: is not a directory", b.Device))
	}
	req.Options = map[string]string{"type": "none", "o": "bind", "device": path.Clean(b.Device)}
	return req, nil
}

// volumeHints are those of a mount that an image declares.
func (s *Server) volumeHints(ctx context.Context, b wire.VolumeCreate) (map[string]string, error) {
	if b.Image == "" && b.Mount == "" {
		return nil, nil
	}
	if b.Image == "" || b.Mount == "" {
		return nil, invalid(errors.New("an image and the name of one of its mounts are given together"))
	}
	j, err := s.cfg.Images.Description(ctx, b.Image)
	if err != nil {
		return nil, err
	}
	m, ok := j.Mounts[b.Mount]
	if !ok {
		return nil, &engine.Error{Op: "create", Kind: engine.NotFound, Resource: engine.ResourceVolume, ID: b.Mount, Err: fmt.Errorf("image %s declares no mount %s", b.Image, b.Mount)}
	}
	return m.VolumeHints, nil
}

func (s *Server) removeVolume(ctx context.Context, c *call) error {
	force, err := c.flag("force")
	if err != nil {
		return err
	}
	return c.done(s.cfg.Volumes.Remove(ctx, c.ref(), force))
}

func (s *Server) pruneVolumes(ctx context.Context, c *call) error {
	return s.prune(ctx, c, s.cfg.Volumes.Prune)
}

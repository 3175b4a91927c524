package nativeapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

type containerFiles interface {
	StatPath(ctx context.Context, ref, path string) (engine.PathStat, error)
	// ReadArchive gives a tar stream of the path; the caller closes it.
	ReadArchive(ctx context.Context, ref, path string) (engine.Archive, error)
	WriteArchive(ctx context.Context, ref, path string, tar io.Reader, o engine.ExtractOptions) error
	Export(ctx context.Context, ref string) (io.ReadCloser, error)
}

func (s *Server) fileRoutes() []route {
	const one = "/v1/containers/{ref}"
	return []route{
		{pattern: "GET " + one + "/files", needs: ownContainer, handler: s.readFiles},
		{pattern: "GET " + one + "/files/stat", needs: ownContainer, handler: s.statFile},
		{pattern: "PUT " + one + "/files", needs: ownContainer, handler: s.writeFiles},
		{pattern: "GET " + one + "/export", needs: ownContainer, handler: s.export},
	}
}

// path is the key that every operation upon files needs.
func (c *call) path() (string, error) {
	p := c.URL.Query().Get("path")
	if p == "" {
		return "", invalid(errors.New("path is missing"))
	}
	return p, nil
}

// statFile tells what a path is.
func (s *Server) statFile(ctx context.Context, c *call) error {
	p, err := c.path()
	if err != nil {
		return err
	}
	stat, err := s.cfg.Containers.StatPath(ctx, c.ref(), p)
	if err != nil {
		return err
	}
	return c.answer(pathStat(stat))
}

func pathStat(p engine.PathStat) wire.PathStat {
	return wire.PathStat{Name: p.Name, Size: p.Size, Mode: p.Mode, LinkTarget: p.LinkTarget}
}

// readFiles sends a path as tar, and tells in a header what it is.
func (s *Server) readFiles(ctx context.Context, c *call) error {
	p, err := c.path()
	if err != nil {
		return err
	}
	archive, err := s.cfg.Containers.ReadArchive(ctx, c.ref(), p)
	if err != nil {
		return err
	}
	defer archive.Close()
	stat, err := json.Marshal(pathStat(archive.Stat))
	if err != nil {
		return err
	}
	c.w.Header().Set(wire.PathStatHeader, string(stat))
	return c.tar(archive)
}

// tar sends an archive. An error on the way cuts the connection, so that nobody takes half of it for the whole.
func (c *call) tar(from io.Reader) error {
	c.w.Header().Set("Content-Type", "application/x-tar")
	c.begun = true
	_, err := io.Copy(c.w, from)
	return err
}

// writeFiles puts the body, a tar, into the directory that path names. Keys: no_overwrite refuses to replace a directory by
// something else and the other way round; keep_owner has files belong to the container's user.
func (s *Server) writeFiles(ctx context.Context, c *call) error {
	p, err := c.path()
	if err != nil {
		return err
	}
	var o engine.ExtractOptions
	if err := c.flags(map[string]*bool{"no_overwrite": &o.NoOverwriteDirNonDir, "keep_owner": &o.KeepOwner}); err != nil {
		return err
	}
	return c.done(s.cfg.Containers.WriteArchive(ctx, c.ref(), p, c.Body, o))
}

func (s *Server) export(ctx context.Context, c *call) error {
	root, err := s.cfg.Containers.Export(ctx, c.ref())
	if err != nil {
		return err
	}
	defer root.Close()
	return c.tar(root)
}

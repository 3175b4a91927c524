package nativeapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
	"github.com/xcengine/xc/imageformat"
)

// Images are the daemon's images. ref is a name, an id, or the beginning of an id; a nil platform means the one that suits the
// host best.
type Images interface {
	imageTransfers
	imageStore
}

type imageTransfers interface {
	// Pull reports nothing before the registry has told what the reference names.
	Pull(ctx context.Context, req engine.PullRequest, report engine.ProgressFunc) error
	Push(ctx context.Context, req engine.PushRequest, report engine.ProgressFunc) error
	Load(ctx context.Context, tar io.Reader, platform *engine.Platform, report engine.ProgressFunc) error
	// CanSave reports what is wrong with the names before Save writes the first byte.
	CanSave(ctx context.Context, refs []string, platform *engine.Platform) error
	Save(ctx context.Context, refs []string, platform *engine.Platform, w io.Writer) error
	Import(ctx context.Context, req engine.ImportRequest, tar io.Reader) (engine.ImageID, error)
	Search(ctx context.Context, term string, limit int, auth engine.Credentials) ([]engine.SearchResult, error)
}

type imageStore interface {
	// Lookup finds an image by a reference, digest or id; one that is not here is NotFound.
	Lookup(ctx context.Context, ref string, platform *engine.Platform) (engine.Image, error)
	Commit(ctx context.Context, req engine.CommitRequest) (engine.ImageID, error)
	List(ctx context.Context, q engine.ImageQuery) ([]engine.ImageSummary, error)
	Inspect(ctx context.Context, ref string, platform *engine.Platform) (engine.Image, error)
	History(ctx context.Context, ref string, platform *engine.Platform) ([]engine.HistoryEntry, error)
	Tag(ctx context.Context, ref, target string) error
	Remove(ctx context.Context, ref string, how engine.ImageRemoval) ([]engine.ImageDeleted, error)
	Prune(ctx context.Context, q engine.PruneQuery) ([]engine.ImageDeleted, int64, error)
	// Collect removes layers and blobs that no image has any more and returns how many bytes that freed.
	Collect(ctx context.Context) (int64, error)
	// Description is xc's part of an image's configuration: its own, or what the rest says in those words.
	Description(ctx context.Context, ref string) (imageformat.JailConfig, error)
	// Configure gives ref's name to an image that differs in its description. change may be called several times.
	Configure(ctx context.Context, ref string, change func(*imageformat.JailConfig) error) (engine.ImageID, error)
}

func (s *Server) imageRoutes() []route {
	const one = "/v1/images/{ref}"
	return []route{
		{pattern: "GET /v1/images", needs: member, handler: s.listImages},
		{pattern: "POST /v1/images/pull", needs: imageManager, lasting: true, handler: s.pullImage},
		{pattern: "POST /v1/images/push", needs: imageManager, lasting: true, handler: s.pushImage},
		{pattern: "POST /v1/images/import", needs: imageManager, lasting: true, handler: s.importImage},
		{pattern: "POST /v1/images/load", needs: imageManager, lasting: true, handler: s.loadImages},
		{pattern: "POST /v1/images/save", needs: imageManager, lasting: true, handler: s.saveImages},
		{pattern: "POST /v1/images/prune", needs: imageManager, handler: s.pruneImages},
		{pattern: "GET " + one, needs: member, handler: s.inspectImage},
		{pattern: "DELETE " + one, needs: imageManager, handler: s.removeImage},
		{pattern: "GET " + one + "/config", needs: member, handler: s.imageConfig},
		{pattern: "PUT " + one + "/config", needs: imageManager, handler: s.setImageConfig},
		{pattern: "POST " + one + "/patch", needs: imageManager, handler: s.patchImage},
		{pattern: "POST " + one + "/tag", needs: imageManager, handler: s.tagImage},
		{pattern: "GET " + one + "/history", needs: member, handler: s.imageHistory},
		{pattern: "GET /v1/search", needs: member, handler: s.searchImages},
	}
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

// listImages lists images, the newest first. Keys that select, each of which may be repeated: reference (a pattern), label,
// without (a label that it must not have). before and since name an image, until a time. dangling=0 or 1 selects those with or
// without names; all=1 adds those that only carry others, shared=1 computes what they share.
func (s *Server) listImages(ctx context.Context, c *call) error {
	q, err := imageQuery(c)
	if err != nil {
		return err
	}
	rows, err := s.cfg.Images.List(ctx, q)
	if err != nil {
		return err
	}
	all := []wire.Image{}
	for _, r := range rows {
		w := image(r.Image)
		w.Containers = &r.Containers
		if r.SharedSize >= 0 {
			w.Shared = &r.SharedSize
		}
		all = append(all, w)
	}
	return c.answer(all)
}

func imageQuery(c *call) (q engine.ImageQuery, err error) {
	if err := c.flags(map[string]*bool{"all": &q.All, "shared": &q.SharedSize}); err != nil {
		return q, err
	}
	v := c.URL.Query()
	if q.Dangling, err = truth(v, "dangling"); err != nil {
		return q, err
	}
	if q.Until, err = instant(v.Get("until")); err != nil {
		return q, invalid(fmt.Errorf("until: %w", err))
	}
	q.References, q.Before, q.Since = v["reference"], v.Get("before"), v.Get("since")
	q.Labels, q.NotLabels = labelMatches(v["label"]), labelMatches(v["without"])
	return q, nil
}

// truth reads a key that may be left out.
func truth(v url.Values, key string) (*bool, error) {
	s := v.Get(key)
	if s == "" {
		return nil, nil
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return nil, invalid(fmt.Errorf("%s=%s: neither true nor false", key, s))
	}
	return &b, nil
}

func (s *Server) inspectImage(ctx context.Context, c *call) error {
	p, err := s.platform(c.URL.Query().Get("platform"))
	if err != nil {
		return err
	}
	found, err := s.cfg.Images.Inspect(ctx, c.ref(), p)
	if err != nil {
		return err
	}
	w := image(found)
	w.Jail, w.Storage = found.Jail, found.Dir
	return c.answer(w)
}

// pullImage fetches an image, or every tag of a repository.
func (s *Server) pullImage(ctx context.Context, c *call) error {
	var body wire.Pull
	return s.transferred(c, &body, &body.Platform, func(p *engine.Platform, report engine.ProgressFunc) error {
		return s.cfg.Images.Pull(ctx, engine.PullRequest{Ref: body.Ref, Platform: p, All: body.All}, report)
	})
}

func (s *Server) pushImage(ctx context.Context, c *call) error {
	var body wire.Push
	return s.transferred(c, &body, &body.Platform, func(p *engine.Platform, report engine.ProgressFunc) error {
		return s.cfg.Images.Push(ctx, engine.PushRequest{
			Ref: body.Ref, Target: body.Target, Platform: p, All: body.All, Insecure: body.Insecure, MergeIndex: body.MergeIndex,
		}, report)
	})
}

// transferred reads a body, of which a platform is one member, and sends what the operation that it asks for reports.
func (s *Server) transferred(c *call, body any, platform *string, do func(*engine.Platform, engine.ProgressFunc) error) error {
	if err := c.read(body); err != nil {
		return err
	}
	p, err := s.platform(*platform)
	if err != nil {
		return err
	}
	return reported(c, func(report engine.ProgressFunc) error { return do(p, report) })
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

// importImage makes an image of a root's tar. Everything else is judged before the tar is read.
func (s *Server) importImage(ctx context.Context, c *call) error {
	var body wire.Import
	content, err := c.readWith(&body)
	if err != nil {
		return err
	}
	if content == nil {
		return invalid(errors.New("there is no tar"))
	}
	p, err := s.platform(body.Platform)
	if err != nil {
		return err
	}
	req := engine.ImportRequest{Ref: body.Ref, Message: body.Message, Changes: body.Changes, Platform: p}
	if body.Config != nil || len(body.Patch) > 0 {
		req.Jail = func(j *imageformat.JailConfig) error {
			if body.Config != nil {
				*j = *body.Config
			}
			return patched(j, body.Patch)
		}
		if err := req.Jail(&imageformat.JailConfig{}); err != nil {
			return invalid(err)
		}
	}
	id, err := s.cfg.Images.Import(ctx, req, content)
	if err != nil {
		return err
	}
	return c.answer(wire.Made{ID: string(id)})
}

// loadImages takes images out of the body, a docker-archive or an OCI layout; the key platform takes those of one alone.
func (s *Server) loadImages(ctx context.Context, c *call) error {
	p, err := s.platform(c.URL.Query().Get("platform"))
	if err != nil {
		return err
	}
	return reported(c, func(report engine.ProgressFunc) error { return s.cfg.Images.Load(ctx, c.Body, p, report) })
}

func (s *Server) saveImages(ctx context.Context, c *call) error {
	var body wire.Save
	if err := c.read(&body); err != nil {
		return err
	}
	p, err := s.platform(body.Platform)
	if err != nil {
		return err
	}
	if len(body.Refs) == 0 {
		return invalid(errors.New("no image is named"))
	}
	if err := s.cfg.Images.CanSave(ctx, body.Refs, p); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/x-tar")
	c.begun = true
	return s.cfg.Images.Save(ctx, body.Refs, p, c.w)
}

// removeImage removes a name, and with the last one the image; force removes an image with several names, or one whose
// containers have ended; keep_parents=1 leaves those that it was made of and that have no name. The key platform, which may be
// repeated, takes the name from the images of those platforms alone.
func (s *Server) removeImage(ctx context.Context, c *call) error {
	var how engine.ImageRemoval
	var keep bool
	if err := c.flags(map[string]*bool{"force": &how.Force, "keep_parents": &keep}); err != nil {
		return err
	}
	how.Prune = !keep
	for _, text := range c.URL.Query()["platform"] {
		p, err := s.platform(text)
		if err != nil {
			return err
		}
		if p != nil {
			how.Platforms = append(how.Platforms, *p)
		}
	}
	gone, err := s.cfg.Images.Remove(ctx, c.ref(), how)
	if err != nil {
		return err
	}
	return c.answer(removed(gone))
}

func removed(list []engine.ImageDeleted) []wire.ImageRemoved {
	all := []wire.ImageRemoved{}
	for _, d := range list {
		all = append(all, wire.ImageRemoved{Untagged: d.Untagged, Deleted: d.Deleted})
	}
	return all
}

func (s *Server) pruneImages(ctx context.Context, c *call) error {
	q, err := pruneQuery(c)
	if err != nil {
		return err
	}
	gone, n, err := s.cfg.Images.Prune(ctx, q)
	if err != nil {
		return err
	}
	return c.answer(wire.ImagesPruned{Images: removed(gone), Reclaimed: n})
}

func pruneQuery(c *call) (engine.PruneQuery, error) {
	var body wire.Prune
	if err := c.read(&body); err != nil {
		return engine.PruneQuery{}, err
	}
	until, err := instant(body.Until)
	if err != nil {
		return engine.PruneQuery{}, invalid(fmt.Errorf("until: %w", err))
	}
	return engine.PruneQuery{All: body.All, Until: until, Labels: labelMatches(body.Labels), NotLabels: labelMatches(body.Not)}, nil
}

func (s *Server) tagImage(ctx context.Context, c *call) error {
	var body wire.Tag
	if err := c.read(&body); err != nil {
		return err
	}
	return c.done(s.cfg.Images.Tag(ctx, c.ref(), body.Target))
}

func (s *Server) imageHistory(ctx context.Context, c *call) error {
	p, err := s.platform(c.URL.Query().Get("platform"))
	if err != nil {
		return err
	}
	steps, err := s.cfg.Images.History(ctx, c.ref(), p)
	if err != nil {
		return err
	}
	all := []wire.HistoryStep{}
	for _, h := range steps {
		all = append(all, wire.HistoryStep{
			ID: string(h.ID), Created: moment(h.Created), CreatedBy: h.CreatedBy, Comment: h.Comment, Size: h.Size, Tags: h.Tags,
		})
	}
	return c.answer(all)
}

// searchLimit is how many hits a search gives that names no limit.
const searchLimit = 25

// searchImages asks the registry that term begins with, or the default one; limit is how many hits are wanted at most.
func (s *Server) searchImages(ctx context.Context, c *call) error {
	v, limit := c.URL.Query(), searchLimit
	if text := v.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 100 {
			return invalid(fmt.Errorf("limit=%s: must be between 1 and 100", text))
		}
	}
	if strings.TrimSpace(v.Get("term")) == "" {
		return invalid(errors.New("term is missing"))
	}
	hits, err := s.cfg.Images.Search(ctx, v.Get("term"), limit, engine.Credentials{})
	if err != nil {
		return err
	}
	all := []wire.Found{}
	for _, h := range hits {
		all = append(all, wire.Found{Name: h.Name, Description: h.Description, Stars: h.Stars, Official: h.Official})
	}
	return c.answer(all)
}

// image gives an image's wire form.
func image(i engine.Image) wire.Image {
	p := i.Config.Process
	w := wire.Image{
		ID: string(i.ID), Tags: append([]string{}, i.Tags...), Digests: i.Digests, Digest: i.Digest, Parent: string(i.Parent),
		Created: moment(i.Created), Tagged: moment(i.LastTagged), Platform: i.Platform.String(), Size: i.Size, Author: i.Author, Comment: i.Comment,
		Process: wire.ImageProcess{
			Entrypoint: p.Entrypoint, Cmd: p.Cmd, Env: p.Env, WorkDir: p.WorkDir, User: p.User, StopSignal: i.Config.StopSignal,
		},
		Labels: i.Config.Labels, Volumes: i.Config.VolumePaths, Layers: i.Layers, ChainID: string(i.Top), Driver: i.Driver, TreeExit: i.TreeExit,
	}
	for _, port := range i.Config.ExposedPorts {
		w.Ports = append(w.Ports, fmt.Sprintf("%d/%s", port.Number, port.Proto))
	}
	return w
}

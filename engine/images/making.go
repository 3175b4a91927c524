package images

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// Commit makes an image of a container: its image's layers, one more with what it changed, and its configuration after the
// request's instructions.
func (s *Service) Commit(ctx context.Context, req engine.CommitRequest) (engine.ImageID, error) {
	names, err := optionalName("commit", req.Ref)
	if err != nil {
		return "", err
	}
	c, resume, err := s.containers.ForCommit(ctx, req.Container, req.Pause)
	if err != nil {
		return "", err
	}
	l, err := s.rootLayer(ctx, c)
	resume() // the container need not wait for the rest
	if err != nil {
		return "", wrap("commit", req.Container, err)
	}
	defer spooled{path: l.path}.discard()
	base := configOfContainer(c)
	given := base
	if req.Config != nil {
		given = *req.Config
	}
	config, err := applyChanges(given, req.Changes)
	if err != nil {
		return "", wrap("commit", req.Container, err)
	}
	id, err := s.make(ctx, step{
		parent: c.Image, platform: c.Platform, config: mergeConfig(config, base), layer: l,
		author: req.Author, comment: req.Comment, createdBy: strings.Join(c.Spec.Process.Cmd, " "), container: c.ID, names: names,
	})
	if err != nil {
		return "", wrap("commit", req.Container, err)
	}
	s.tellCommitted(c, id, req, names)
	return id, nil
}

func (s *Service) tellCommitted(c engine.Container, id engine.ImageID, req engine.CommitRequest, names []reference.NamedTagged) {
	attributes := maps.Clone(c.Spec.Labels)
	if attributes == nil {
		attributes = map[string]string{}
	}
	attributes["image"], attributes["name"] = c.Spec.ImageRef, c.Name
	attributes["comment"], attributes["imageID"], attributes["imageRef"] = req.Comment, string(id), ""
	for _, n := range names {
		attributes["imageRef"] = reference.FamiliarString(n)
	}
	s.cfg.Events.Publish(engine.Event{Time: now(), Type: engine.EventContainer, Action: "commit", ID: string(c.ID), Attributes: attributes})
}

// rootLayer spools what a container changed.
func (s *Service) rootLayer(ctx context.Context, c engine.Container) (localLayer, error) {
	switch c.Status.State {
	case engine.StateDead:
		return localLayer{}, imageError("commit", engine.Conflict, c.Name, saidf("You cannot commit container %s which is Dead", c.ID))
	case engine.StateRemoving:
		return localLayer{}, imageError("commit", engine.Conflict, c.Name, saidf("You cannot commit container %s which is being removed", c.ID))
	}
	diff, err := s.cfg.Layers.RootDiff(ctx, c.ID)
	if err != nil {
		return localLayer{}, err
	}
	defer diff.Close()
	return s.spoolLayer(ctx, diff)
}

// Create makes an image upon another one, for a builder: n.Layer is the tar of what the step changed, nil when it changed
// only the configuration.
func (s *Service) Create(ctx context.Context, n engine.NewImage) (engine.ImageID, error) {
	st := stepOf(n)
	if n.Layer != nil {
		l, err := s.spoolLayer(ctx, n.Layer)
		if err != nil {
			return "", wrap("create", "", err)
		}
		defer spooled{path: l.path}.discard()
		st.layer = l
	}
	id, err := s.make(ctx, st)
	return id, wrap("create", "", err)
}

// step is an image to make upon another one, or upon nothing.
type step struct {
	parent                     engine.ImageID
	platform                   engine.Platform
	config                     engine.ImageConfig
	layer                      localLayer // without a digest: no layer
	author, comment, createdBy string
	before                     []string  // commands of the steps before it that made no image
	created                    time.Time // zero: now
	container                  engine.ContainerID
	names                      []reference.NamedTagged
	intermediate               bool
	jail                       func(*imageformat.JailConfig) error
}

func stepOf(n engine.NewImage) step {
	return step{
		parent: n.Parent, platform: n.Platform, config: n.Config, author: n.Author, comment: n.Comment, createdBy: n.CreatedBy, before: n.Before, created: n.Created,
		intermediate: n.Intermediate, jail: n.Jail,
	}
}

// emptyTar is the digest of a tar without entries, by which Docker knows a layer that changes nothing.
const emptyTar = digest.Digest("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")

func (s *Service) make(ctx context.Context, st step) (engine.ImageID, error) {
	held := s.holds.lease()
	defer held.end()
	doc, sizes, err := s.baseOf(ctx, held, st)
	if err != nil {
		return "", err
	}
	img := fresh{sizes: slices.Clone(sizes), parent: st.parent, names: st.names, intermediate: st.intermediate}
	empty := st.layer.digest == "" || st.layer.diffID == emptyTar
	if !empty {
		var parent engine.LayerID
		if chain := imageformat.ChainIDs(doc.DiffIDs); len(chain) > 0 {
			parent = engine.LayerID(chain[len(chain)-1])
		}
		if err := s.placeIn(ctx, held, parent, st.layer, &img); err != nil {
			return "", err
		}
		doc.DiffIDs = append(slices.Clone(doc.DiffIDs), st.layer.diffID)
	}
	created := st.created
	if created.IsZero() {
		created = now()
	}
	doc.History = slices.Clone(doc.History)
	for _, by := range st.before {
		doc.History = append(doc.History, imageformat.History{Created: &created, Author: st.author, CreatedBy: by, EmptyLayer: true})
	}
	h := imageformat.History{Created: &created, Author: st.author, Comment: st.comment, CreatedBy: st.createdBy, EmptyLayer: empty}
	if err := s.continueDocument(&doc, st, h); err != nil {
		return "", err
	}
	return s.registerStep(ctx, held, st, doc, img)
}

// continueDocument adds what a step says to the document of its parent, whose layers have been added already.
func (s *Service) continueDocument(doc *imageformat.JailImage, st step, h imageformat.History) error {
	extra := doc.Run.Extra
	doc.Run = runConfigOf(st.config)
	doc.Run.Extra = extra
	doc.Created, doc.Author, doc.Comment, doc.DockerVersion = h.Created, st.author, "", s.cfg.Version
	doc.History = append(slices.Clone(doc.History), h)
	if st.jail == nil {
		return nil
	}
	return setJail(doc, st.jail)
}

// registerStep makes a step's image visible and tells of it.
func (s *Service) registerStep(ctx context.Context, held *lease, st step, doc imageformat.JailImage, img fresh) (engine.ImageID, error) {
	var err error
	if img.config, err = doc.Marshal(); err != nil {
		return "", err
	}
	e, err := s.register(ctx, held, img)
	if err != nil {
		return "", err
	}
	s.publish("create", string(e.rec.ID), string(e.rec.ID), e)
	s.tellTagged(e, st.names)
	return e.rec.ID, nil
}

// baseOf is the document that a step continues. Everything below the new layer is held.
func (s *Service) baseOf(ctx context.Context, held *lease, st step) (imageformat.JailImage, []int64, error) {
	if st.parent == "" {
		return imageformat.JailImage{Platform: formatPlatform(st.platform)}, nil, nil
	}
	e, ok := s.index.get(st.parent)
	if !ok {
		return imageformat.JailImage{}, nil, imageError("", engine.NotFound, string(st.parent), nil)
	}
	if err := held.hold(ctx, blobKey(digest.Digest(st.parent))); err != nil {
		return imageformat.JailImage{}, nil, err
	}
	for i := range e.chain {
		if err := s.holdLayer(ctx, held, e, i); err != nil {
			return imageformat.JailImage{}, nil, err
		}
	}
	raw, err := s.document(digest.Digest(st.parent))
	if err != nil {
		return imageformat.JailImage{}, nil, err
	}
	doc, err := imageformat.ParseConfig(raw)
	if err != nil {
		return doc, nil, err
	}
	if st.platform.OS != "" && doc.Platform.OS == "" {
		doc.Platform = formatPlatform(st.platform)
	}
	if _, ok := s.index.get(st.parent); !ok {
		err = imageError("", engine.NotFound, string(st.parent), errors.New("it was removed meanwhile"))
	}
	return doc, e.rec.LayerSizes, err
}

// holdLayer holds one layer of an image, with its blobs.
func (s *Service) holdLayer(ctx context.Context, held *lease, e *entry, i int) error {
	if err := held.hold(ctx, layerKey(e.chain[i])); err != nil {
		return err
	}
	for _, b := range s.index.withDiff(e.diffIDs[i]) {
		if err := held.hold(ctx, blobKey(digest.Digest(b.Digest))); err != nil {
			return err
		}
	}
	return nil
}

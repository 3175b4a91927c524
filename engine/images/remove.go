package images

import (
	"context"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
)

// Remove takes a name from an image, and the image away with its last one. Given an id, it takes the image away with its
// names, if they are all of one repository. Conflicts are Docker's:
//
//	hard  an image made of this one, a running container      never
//	soft  another name, a stopped container                   by force alone
//
// With prune, parents that nothing else needs go too. The answer lists what was done, in order.
func (s *Service) Remove(ctx context.Context, ref string, force, prune bool) ([]engine.ImageDeleted, error) {
	e, err := s.find("delete", ref, nil)
	if err != nil {
		return nil, err
	}
	r := &removal{s: s, ref: ref, force: force, prune: prune}
	s.write.Lock()
	err = r.remove(ctx, e.rec.ID)
	s.write.Unlock()
	r.finish(ctx)
	if err != nil && !r.partial {
		return nil, wrap("delete", ref, err)
	}
	return r.done, wrap("delete", ref, err)
}

// removal is one Remove. The service's write lock is held while it decides; layers and blobs are removed after.
type removal struct {
	s            *Service
	ref          string
	force, prune bool
	partial      bool // done is to be told in spite of an error
	done         []engine.ImageDeleted
	reclaimed    int64
	gone         []goneImage
}

// goneImage is an image that no longer is, at the place in the answer where its layers are told.
type goneImage struct {
	e  *entry
	at int
}

func (r *removal) remove(ctx context.Context, id engine.ImageID) error {
	e, ok := r.s.index.get(id)
	if !ok {
		return imageError("delete", engine.NotFound, r.ref, nil)
	}
	t, err := parseTarget("delete", r.ref)
	if err != nil {
		return err
	}
	if t.name == nil || isIDPrefix(id, r.ref) {
		return r.byID(ctx, e)
	}
	return r.byName(ctx, e, t.name.String())
}

// isIDPrefix reports whether the user's words are the beginning of the image's id.
func isIDPrefix(id engine.ImageID, ref string) bool {
	return strings.HasPrefix(string(id), ref) || strings.HasPrefix(digest.Digest(id).Encoded(), ref)
}

func (r *removal) byID(ctx context.Context, e *entry) error {
	names := r.s.index.refs(e.rec.ID)
	if oneRepository(names) {
		// All its names are one: they need no force.
		if err := r.conflict(ctx, e, conflictHard|conflictStopped&^r.forced()); err != nil {
			return err
		}
		for _, name := range slices.Clone(names) {
			if err := r.untag(ctx, e, name); err != nil {
				return err
			}
		}
	}
	return r.image(ctx, e, r.force, r.prune, false)
}

func (r *removal) byName(ctx context.Context, e *entry, name string) error {
	if !r.force && oneRepository(r.s.index.refs(e.rec.ID)) {
		users, err := r.s.users(ctx, e.rec.ID)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			c := imageError("delete", engine.Conflict, r.ref, saidf("conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s",
				r.ref, users[0].ID.Short(), e.rec.ID.Short()))
			c.Reason, c.Args = engine.ReasonInUse, []string{string(users[0].ID), string(e.rec.ID)}
			return c
		}
	}
	for _, other := range r.s.index.named(name) {
		if err := r.untagWhole(ctx, other, name); err != nil {
			return err
		}
		if len(r.s.index.refs(other.rec.ID)) > 0 {
			continue
		}
		if err := r.image(ctx, other, r.force, r.prune, true); err != nil {
			return err
		}
	}
	return nil
}

// untagWhole takes a name away, and with a repository's last tag the digests that were kept for it.
func (r *removal) untagWhole(ctx context.Context, e *entry, name string) error {
	if err := r.untag(ctx, e, name); err != nil || isDigestName(name) {
		return err
	}
	repo := repositoryOf(name)
	var digests []string
	for _, n := range r.s.index.refs(e.rec.ID) {
		if repositoryOf(n) != repo {
			continue
		}
		if !isDigestName(n) {
			return nil
		}
		digests = append(digests, n)
	}
	for _, n := range digests {
		if err := r.drop(ctx, e, n); err != nil {
			return err
		}
	}
	return nil
}

// untag takes one name from one image and tells so.
func (r *removal) untag(ctx context.Context, e *entry, name string) error {
	if err := r.drop(ctx, e, name); err != nil {
		return err
	}
	r.s.publish("untag", string(e.rec.ID), string(e.rec.ID), e)
	return nil
}

func (r *removal) drop(ctx context.Context, e *entry, name string) error {
	err := r.s.changeLocked(ctx, func(c *engine.ImageChange) error {
		r.s.index.view(func() {
			for _, n := range r.s.index.names[name] {
				if n.Image == e.rec.ID {
					c.DeleteNames = append(c.DeleteNames, n)
				}
			}
		})
		return nil
	})
	if err != nil {
		return err
	}
	r.partial = true
	r.done = append(r.done, engine.ImageDeleted{Untagged: familiarName(name)})
	return nil
}

// image removes an image, and with prune its parents. Quietly means that a conflict is no error unless nobody would ever
// learn that the image still stands.
func (r *removal) image(ctx context.Context, e *entry, force, prune, quiet bool) error {
	mask := conflictHard
	if !force {
		mask |= conflictSoft
	}
	if err := r.conflict(ctx, e, mask); err != nil {
		dangling := len(r.s.index.refs(e.rec.ID)) == 0 && !r.s.hasChildren(e)
		used := engine.HasReason(err, engine.ReasonInUse) || engine.HasReason(err, engine.ReasonRunning)
		if quiet && (!dangling || used) {
			return nil
		}
		return err
	}
	for _, name := range slices.Clone(r.s.index.refs(e.rec.ID)) {
		if err := r.untag(ctx, e, name); err != nil {
			return err
		}
	}
	err := r.s.changeLocked(ctx, func(c *engine.ImageChange) error {
		c.Delete = []engine.ImageID{e.rec.ID}
		return nil
	})
	if err != nil {
		return err
	}
	r.partial = true
	r.s.publish("delete", string(e.rec.ID), string(e.rec.ID), e)
	r.done = append(r.done, engine.ImageDeleted{Deleted: string(e.rec.ID)})
	r.gone = append(r.gone, goneImage{e, len(r.done)})
	parent, ok := r.s.index.get(e.rec.Parent)
	if !prune || !ok {
		return nil
	}
	return r.image(ctx, parent, false, true, true)
}

// conflict is a set of reasons not to remove an image.
type conflict uint

const (
	conflictChildren conflict = 1 << iota
	conflictRunning
	conflictNames
	conflictStopped
	conflictHard = conflictChildren | conflictRunning
	conflictSoft = conflictNames | conflictStopped
)

// forced is the soft conflict with stopped containers, if the user would not hear of it.
func (r *removal) forced() conflict {
	if r.force {
		return conflictStopped
	}
	return 0
}

func (r *removal) conflict(ctx context.Context, e *entry, mask conflict) error {
	if mask&conflictChildren != 0 && r.s.hasChildren(e) {
		return r.refuse(e, true, engine.ReasonHasChildren, "image has dependent child images")
	}
	if r.s.kept[e.rec.ID] > 0 {
		return r.refuse(e, true, engine.ReasonInUse, "image is being used by a build")
	}
	users, err := r.s.users(ctx, e.rec.ID)
	if err != nil {
		return err
	}
	for _, c := range users {
		if mask&conflictRunning != 0 && c.Status.State.Alive() {
			return r.refuse(e, true, engine.ReasonRunning, "image is being used by running container "+c.ID.Short(), string(c.ID))
		}
	}
	if mask&conflictNames != 0 && len(r.s.index.refs(e.rec.ID)) > 0 {
		return r.refuse(e, false, engine.ReasonTagged, "image is referenced in multiple repositories")
	}
	for _, c := range users {
		if mask&conflictStopped != 0 && !c.Status.State.Alive() {
			return r.refuse(e, false, engine.ReasonInUse, "image is being used by stopped container "+c.ID.Short(), string(c.ID))
		}
	}
	return nil
}

func (r *removal) refuse(e *entry, hard bool, reason engine.Reason, why string, args ...string) error {
	how := "must be forced"
	if hard {
		how = "cannot be forced"
	}
	c := imageError("delete", engine.Conflict, string(e.rec.ID), saidf("conflict: unable to delete %s (%s) - %s", e.rec.ID.Short(), how, why))
	c.Reason, c.Args = reason, args
	return c
}

// oneRepository reports whether names are at most one tag and digests of its repository. No names are not one repository.
func oneRepository(names []string) bool {
	if len(names) <= 1 {
		return len(names) == 1
	}
	tag, repos := "", map[string]bool{}
	for _, n := range names {
		switch {
		case isDigestName(n):
			repos[repositoryOf(n)] = true
		case tag != "":
			return false
		default:
			tag = n
		}
	}
	if tag == "" {
		tag = names[0]
	}
	return len(repos) == 1 && repos[repositoryOf(tag)]
}

// finish removes what the removed images alone had, and puts the layers into the answer.
func (r *removal) finish(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	var out []engine.ImageDeleted
	from := 0
	for i, g := range r.gone {
		out = append(out, r.done[from:g.at]...)
		from = g.at
		later := map[engine.LayerID]bool{}
		for _, next := range r.gone[i+1:] {
			for _, l := range next.e.chain {
				later[l] = true
			}
		}
		layers, freed := r.s.collectImage(ctx, g.e, later)
		for _, l := range layers {
			out = append(out, engine.ImageDeleted{Deleted: string(l)})
		}
		r.reclaimed += freed
	}
	r.done = append(out, r.done[from:]...)
}

// tagsOf returns the tags among an image's names, familiar.
func tagsOf(names []string) []string {
	var tags []string
	for _, n := range names {
		if named, ok := keptName(n); ok && !isDigestName(n) {
			tags = append(tags, reference.FamiliarString(named))
		}
	}
	return tags
}

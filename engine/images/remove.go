package images

import (
	"context"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
)

// Remove takes a name from the images that have it, or from those of the platforms that are asked for, and away goes each that
// has no other. Given an id, it takes the image away with its names, if they are all of one repository. Conflicts are Docker's:
//
//	hard  an image made of this one, a running container      never
//	soft  another name, a stopped container                   by force alone
//
// With Prune, parents that nothing else needs go too. The answer lists what was done, in order.
func (s *Service) Remove(ctx context.Context, ref string, how engine.ImageRemoval) ([]engine.ImageDeleted, error) {
	r := &removal{s: s, ref: ref, how: how}
	err := r.run(ctx)
	if err != nil && !r.partial {
		return nil, wrap("delete", ref, err)
	}
	return r.done, wrap("delete", ref, err)
}

// removal is one Remove. The service's write lock is held while it decides; layers and blobs are removed after.
type removal struct {
	s         *Service
	ref       string
	how       engine.ImageRemoval
	only      engine.ImageID // the one image that is meant, whoever else has the name; empty: how says which
	partial   bool           // done is to be told in spite of an error
	done      []engine.ImageDeleted
	reclaimed int64
	gone      []goneImage
}

// goneImage is an image that no longer is, at the place in the answer where its layers are told.
type goneImage struct {
	e  *entry
	at int
}

func (r *removal) run(ctx context.Context) error {
	defer r.finish(ctx)
	r.s.write.Lock()
	defer r.s.write.Unlock()
	t, err := parseTarget("delete", r.ref)
	if err != nil {
		return err
	}
	all, err := r.meant(t)
	if err != nil {
		return err
	}
	if t.name == nil || len(all) == 1 && isIDPrefix(all[0].rec.ID, r.ref) {
		return r.byID(ctx, all[0])
	}
	return r.byName(ctx, all, t.name.String())
}

// meant are the images that the user's words stand for, at least one.
func (r *removal) meant(t target) ([]*entry, error) {
	if len(r.how.Platforms) == 0 {
		e, err := r.s.find("delete", r.ref, nil)
		if err != nil {
			return nil, err
		}
		all := []*entry{e}
		if t.name != nil && slices.Contains(r.s.index.refs(e.rec.ID), t.name.String()) {
			all = r.s.index.named(t.name.String())
		}
		if r.only == "" {
			return all, nil
		}
		all = slices.DeleteFunc(all, func(e *entry) bool { return e.rec.ID != r.only })
		if len(all) == 0 {
			return nil, t.notFound("delete")
		}
		return all, nil
	}
	var all []*entry
	for _, p := range r.how.Platforms {
		e, err := r.s.find("delete", r.ref, &p)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all, nil
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
	return r.image(ctx, e, r.how.Force, r.how.Prune, false)
}

// byName takes the name from images that have it, unless a container would be left with an image that nobody can call any more.
func (r *removal) byName(ctx context.Context, all []*entry, name string) error {
	for _, e := range all {
		if err := r.usedAs(ctx, e); err != nil {
			return err
		}
	}
	for _, e := range all {
		if err := r.untagWhole(ctx, e, name); err != nil {
			return err
		}
		if len(r.s.index.refs(e.rec.ID)) > 0 {
			continue
		}
		if err := r.image(ctx, e, r.how.Force, r.how.Prune, true); err != nil {
			return err
		}
	}
	return nil
}

func (r *removal) usedAs(ctx context.Context, e *entry) error {
	if r.how.Force || !oneRepository(r.s.index.refs(e.rec.ID)) {
		return nil
	}
	users, err := r.s.users(ctx, e.rec.ID)
	if err != nil || len(users) == 0 {
		return err
	}
	c := imageError("delete", engine.Conflict, r.ref, saidf("conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s",
		r.ref, users[0].ID.Short(), e.rec.ID.Short()))
	c.Reason, c.Args = engine.ReasonInUse, []string{string(users[0].ID), string(e.rec.ID)}
	return c
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
	// A name that several platforms' images lose is one name to the user.
	if gone := (engine.ImageDeleted{Untagged: familiarName(name)}); !slices.Contains(r.done, gone) {
		r.done = append(r.done, gone)
	}
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
			return r.leave(ctx, e)
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

// leave gives an image that would go but for others to the builds' cache, if the others are all the cache's: it goes with them.
func (r *removal) leave(ctx context.Context, e *entry) error {
	if e.rec.Intermediate || len(r.s.index.refs(e.rec.ID)) > 0 || !r.s.hasChildren(e) || !r.s.cacheAlone(e) {
		return nil
	}
	rec := e.rec
	rec.Intermediate = true
	return r.s.changeLocked(ctx, func(c *engine.ImageChange) error {
		c.Put = append(c.Put, rec)
		return nil
	})
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
	if r.how.Force {
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

package builder

import (
	"strconv"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/xcengine/xc/engine/builder/dockerfile"
)

// plan says which stages a target needs.
type plan struct {
	order []int // in the order of the recipe, the target last
}

// choose finds the stages that the target needs and counts the steps.
func (b *build) choose(target int, lex *shell.Lex) error {
	for i := range b.file.Stages {
		st := &b.file.Stages[i]
		base, _, err := lex.ProcessWord(st.Base, shell.EnvsFromSlice(b.args.metaEnv()))
		if err != nil {
			return invalid(err)
		}
		if base == "" {
			return invalidf("base name (%s) should not be blank", st.Base)
		}
		platform, _, err := lex.ProcessWord(st.Platform, shell.EnvsFromSlice(b.args.metaEnv()))
		if err != nil {
			return invalid(err)
		}
		st.Base, st.Platform = base, platform
	}
	needed := map[int]bool{}
	b.need(target, needed)
	b.total = len(b.file.Args)
	for i := range b.file.Stages {
		if needed[i] {
			b.plan.order = append(b.plan.order, i)
			b.total += 1 + len(b.file.Stages[i].Commands)
		}
	}
	return nil
}

func (b *build) need(i int, needed map[int]bool) {
	if needed[i] {
		return
	}
	needed[i] = true
	st := b.file.Stages[i]
	names := []string{st.Base}
	for _, c := range st.Commands {
		names = append(names, namedBy(c)...)
	}
	for at, name := range names {
		// FROM knows stages by name alone.
		if n := b.file.Find(name, i); n >= 0 {
			b.need(n, needed)
		} else if n, ok := stageNumber(name, i); ok && at > 0 {
			b.need(n, needed)
		}
	}
}

// namedBy lists the stages or images that a command takes files of.
func namedBy(c dockerfile.Command) []string {
	switch i := c.Command.(type) {
	case *instructions.CopyCommand:
		return []string{i.From}
	case *instructions.RunCommand:
		var from []string
		for _, m := range instructions.GetMounts(i) {
			from = append(from, m.From)
		}
		return from
	}
	return nil
}

// stageNumber reads a stage that is named by its number.
func stageNumber(name string, before int) (int, bool) {
	n, err := strconv.Atoi(name)
	return n, err == nil && n >= 0 && n < before
}

// stageNamed finds an earlier stage that a command takes files of. It is built in any case: by a trigger of a base image
// a stage may be needed that the plan does not have.
func (b *build) stageNamed(name string, before int) (int, bool) {
	if i := b.file.Find(name, before); i >= 0 {
		return i, true
	}
	return stageNumber(name, before)
}

package builder

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/xcengine/xc/engine/builder/dockerfile"
)

// Every image has the whole history of its making in its document, so images of every step of a long recipe take space and time
// with the square of its length. What a person writes has one for each step; of longer rows each ownImages-th step has one.
const ownImages = 100

// row are a stage's latest steps that changed the configuration alone and made no image: the next image is theirs too.
type row struct {
	steps  []string // their commands
	images int      // made of such steps in this stage
	goesOn bool     // the step after the present one is such a step too
}

// takes reports whether a step joins the row, which makes no image of it.
func (r *row) takes(c change, author string) bool {
	if c.layer != nil || c.jail != nil || c.author != author {
		return false
	}
	if r.goesOn && r.images >= ownImages && len(r.steps) < ownImages-1 {
		return true
	}
	r.images++
	return false
}

// declares reports whether a command changes the configuration alone.
func declares(c dockerfile.Command) bool {
	switch c.Command.(type) {
	case *instructions.RunCommand, *instructions.CopyCommand, *instructions.AddCommand, *instructions.WorkdirCommand,
		*instructions.MaintainerCommand, *jailCommand:
		return false
	}
	return true
}

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// buildTeller shows a build and remembers what it made.
type buildTeller struct {
	a        *app
	b        *building
	progress *progress

	step  string            // the present one
	kept  *wire.BuildEvent  // the state before the step that failed
	image string            // the result
	base  string            // what the present stage stands on from outside
	bases map[string]string // likewise, by what stages made
}

func (t *buildTeller) tell(e wire.BuildEvent) {
	say := func(format string, args ...any) {
		if !t.b.quiet {
			t.progress.report(wire.Progress{Stream: fmt.Sprintf(format, args...)})
		}
	}
	switch e.Kind {
	case "step":
		t.step = e.Text
		say("%s\n", t.a.paint(t.a.stdout, green, fmt.Sprintf("Step %d/%d : %s", e.N, e.Total, e.Text)))
	case "image":
		t.made(e.Image)
		say(" ---> %s\n", engine.ImageID(e.Image).Short())
	case "cached":
		say(" ---> Using cache\n")
	case "output":
		say("%s", e.Data)
	case "warning":
		t.a.warn(e.Text)
	case "progress":
		if e.Progress != nil && !t.b.quiet {
			t.progress.report(*e.Progress)
		}
	case "kept":
		t.kept = &e
	case "done":
		t.image = e.Image
	case "tagged":
		say("Tagged %s\n", e.Text)
	}
}

// made notes what a step came to.
func (t *buildTeller) made(image string) {
	if word, _, _ := strings.Cut(strings.TrimSpace(t.step), " "); strings.EqualFold(word, "FROM") {
		t.base = image
		if below, ok := t.bases[image]; ok {
			t.base = below // the stage stands on another one
		}
	} else {
		t.bases[image] = t.base
	}
}

// failed tells how to look at what there was before the step that failed.
func (t *buildTeller) failed() {
	switch {
	case !t.b.Debug:
	case t.kept == nil:
		t.a.warn("no step was done, so there is nothing to look at")
	default:
		network := ""
		for _, n := range t.b.networks {
			network = " --network " + n
		}
		image := engine.ImageID(t.kept.Image).Short()
		fmt.Fprintf(t.a.stderr, "The state before %q is kept as the image %s. Enter it:\n  xc run --rm -it%s %s /bin/sh\nand when you are done:\n  xc rmi %s\n",
			t.kept.Text, image, network, image, image)
	}
}

func (t *buildTeller) finish(cmd *cobra.Command) error {
	if t.b.inPlace {
		return t.a.writeInPlace(cmd, t.image, t.bases[t.image], t.b.quiet)
	}
	if t.b.idFile != "" {
		if err := writeFile(t.b.idFile, strings.NewReader(t.image)); err != nil {
			return err
		}
	}
	if t.b.quiet {
		return t.a.println(t.image)
	}
	return t.a.println("Built " + engine.ImageID(t.image).Short())
}

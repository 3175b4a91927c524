package images

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/declare"
)

// changeWords are the Dockerfile instructions that import and commit take: those that change the configuration alone.
var changeWords = []string{
	"cmd", "entrypoint", "healthcheck", "env", "expose", "label", "onbuild", "stopsignal", "user", "volume", "workdir",
}

// applyChanges returns a configuration after Dockerfile instructions, one in each string. c is not touched.
func applyChanges(c engine.ImageConfig, changes []string) (engine.ImageConfig, error) {
	if len(changes) == 0 {
		return c, nil
	}
	doc, err := parser.Parse(strings.NewReader(strings.Join(changes, "\n")))
	if err != nil {
		return c, imageError("", engine.Invalid, "", err)
	}
	next := declare.New(c, doc.EscapeToken)
	for _, n := range doc.AST.Children {
		if !slices.Contains(changeWords, strings.ToLower(n.Value)) {
			return c, imageError("", engine.Invalid, "", fmt.Errorf("%s is not a valid change command", n.Value))
		}
		cmd, err := instructions.ParseCommand(n)
		if err == nil {
			err = next.Apply(cmd, shell.EnvsFromSlice(next.Process.Env))
		}
		if errors.Is(err, declare.ErrNot) {
			err = fmt.Errorf("%s is not a valid change command", strings.ToUpper(cmd.Name()))
		}
		if err != nil {
			return c, imageError("", engine.Invalid, "", err)
		}
	}
	return next.ImageConfig, nil
}

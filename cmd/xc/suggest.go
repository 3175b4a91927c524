package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/xcengine/xc/engine"
)

// near reports whether one word may be a slip for another: it is its beginning, or differs by a few letters.
func near(word, other string) bool {
	if word == "" || other == "" {
		return false
	}
	word, other = strings.ToLower(word), strings.ToLower(other)
	return len(word) > 2 && strings.HasPrefix(other, word) || engine.EditDistance(word, other) <= min(2, len(word)/2)
}

// flagError says what is wrong with a flag, and which one may be meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	name := unknown.GetSpecifiedName()
	var found []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && len(name) > 1 && near(name, f.Name) {
			found = append(found, "--"+f.Name)
		}
	})
	if len(found) == 0 {
		return fmt.Errorf("%w (%s --help lists them)", err, cmd.CommandPath())
	}
	return fmt.Errorf("%w; did you mean %s?", err, strings.Join(found, " or "))
}

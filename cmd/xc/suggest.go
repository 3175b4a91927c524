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
	var wrong *pflag.InvalidValueError
	if errors.As(err, &wrong) {
		return valueError(wrong)
	}
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

// forms says what a flag's type is written as.
var forms = map[string]string{
	"bool": "true or false", "int": "a whole number", "int64": "a whole number", "uint16": "a whole number of 0 or more",
	"float64": "a number, as in 1.5", "duration": "a time, as in 90s or 5m",
}

// valueError says of a flag's value that it does not parse, and what would.
func valueError(wrong *pflag.InvalidValueError) error {
	form, known := forms[wrong.GetFlag().Value.Type()]
	if !known {
		return fmt.Errorf("--%s: %w", wrong.GetFlag().Name, wrong.Unwrap())
	}
	return fmt.Errorf("--%s: %q is not %s", wrong.GetFlag().Name, wrong.GetValue(), form)
}

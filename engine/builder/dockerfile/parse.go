package dockerfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// File is a recipe that was read.
type File struct {
	Args     []Command // ARG before the first FROM
	Stages   []Stage
	Escape   rune     // the escape character
	Warnings []string // what the reader should be told
}

// Stage is one FROM and what follows it.
type Stage struct {
	Name     string // of "AS", lower case; may be empty
	Base     string // image, earlier stage or "scratch"; with variables
	Platform string // with variables; may be empty
	Text     string // the FROM line
	Line     int
	Commands []Command
}

// Command is one instruction.
type Command struct {
	instructions.Command
	Text string // as it was written, on one line
	Line int    // on which it begins
	// Parents: COPY keeps the directories of its sources (--parents).
	Parents bool
}

// Error is a recipe that cannot be read, with the line.
type Error struct {
	Line int
	Err  error
}

// Error tells it in Docker's words.
func (e *Error) Error() string {
	return fmt.Sprintf("dockerfile parse error on line %d: %v", e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrSyntax is a text that does not fall into instructions, so that nothing can be said of a single one.
var ErrSyntax = errors.New("not a Dockerfile")

// ErrEmpty is a recipe without a single instruction. It is an ErrSyntax too.
var ErrEmpty error = syntaxError{errors.New("file with no instructions")}

// syntaxError is an ErrSyntax that tells its cause alone.
type syntaxError struct{ error }

// Unwrap returns the cause and the kind.
func (e syntaxError) Unwrap() []error { return []error{e.error, ErrSyntax} }

// Parse reads a Dockerfile.
func Parse(r io.Reader) (*File, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var directives parser.DirectiveParser
	if _, err := directives.ParseAll(text); err != nil {
		return nil, syntaxError{err} // its lines are counted from another number
	}
	doc, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, located(err)
	}
	f := &File{Escape: doc.EscapeToken}
	for _, w := range doc.Warnings {
		f.Warnings = append(f.Warnings, w.Short)
	}
	for _, n := range doc.AST.Children {
		if err := f.add(n); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// located gives an error of the parser its line.
func located(err error) error {
	if err.Error() == ErrEmpty.Error() {
		return ErrEmpty
	}
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 && at.Locations[0][0].Start.Line > 0 {
		err = &Error{at.Locations[0][0].Start.Line, err}
	}
	return syntaxError{err}
}

func (f *File) add(n *parser.Node) error {
	parents, err := takeParents(n)
	var made any
	if err == nil {
		made, err = instructions.ParseInstruction(n)
	}
	if err != nil {
		return &Error{n.StartLine, err}
	}
	switch i := made.(type) {
	case *instructions.Stage:
		f.Stages = append(f.Stages, Stage{Name: i.Name, Base: i.BaseName, Platform: i.Platform, Text: strings.TrimSpace(n.Original), Line: n.StartLine})
	case instructions.Command:
		c := Command{Command: i, Text: strings.TrimSpace(n.Original), Line: n.StartLine, Parents: parents}
		_, isArg := i.(*instructions.ArgCommand)
		switch {
		case len(f.Stages) > 0:
			last := &f.Stages[len(f.Stages)-1]
			last.Commands = append(last.Commands, c)
		case isArg:
			f.Args = append(f.Args, c)
		default:
			return errors.New("no build stage in current context")
		}
	}
	return nil
}

// takeParents takes the flag --parents from a COPY.
func takeParents(n *parser.Node) (bool, error) {
	if !strings.EqualFold(n.Value, "copy") {
		return false, nil
	}
	parents := false
	var err error
	n.Flags = slices.DeleteFunc(slices.Clone(n.Flags), func(flag string) bool {
		name, value, valued := strings.Cut(flag, "=")
		if name != "--parents" {
			return false
		}
		if parents = true; valued {
			var bad error
			if parents, bad = strconv.ParseBool(value); bad != nil {
				err = fmt.Errorf("expecting boolean value for flag parents, not: %s", value)
			}
		}
		return true
	})
	return parents, err
}

// Trigger reads one ONBUILD instruction.
func Trigger(text string) (Command, error) {
	f, err := Parse(strings.NewReader("FROM scratch\n" + text))
	if err != nil {
		var at *Error
		if errors.As(err, &at) {
			err = at.Err
		}
		return Command{}, err
	}
	if len(f.Stages) != 1 || len(f.Stages[0].Commands) != 1 {
		return Command{}, errors.New("onbuild trigger should be a single expression")
	}
	return f.Stages[0].Commands[0], nil
}

// Find returns the number of a stage by its name, or by the number itself; -1 when there is none. Of several stages with one
// name the last before the given number is meant, as BuildKit has it.
func (f *File) Find(name string, before int) int {
	for i := min(before, len(f.Stages)) - 1; i >= 0; i-- {
		if f.Stages[i].Name != "" && strings.EqualFold(f.Stages[i].Name, name) {
			return i
		}
	}
	return -1
}

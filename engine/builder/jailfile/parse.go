// Package jailfile reads Jailfiles, the recipes of the original xc: lines of "DIRECTIVE[key:value] arguments", continued by a
// backslash at their end, with comments that begin with "#" and heredocs. Unlike there, a heredoc ends at a line that is its
// tag and nothing else, "<<-" takes leading tabs away, "[key:value]" may stand without a blank before the bracket, and what is
// not known is an error with its place.
package jailfile

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Directives are those of the language.
var Directives = []string{
	"FROM", "RUN", "COPY", "ADDENV", "VOLUME", "WORKDIR", "ENTRYPOINT", "CMD", "ALLOW", "SYSVIPC", "MOUNT", "DEVICE", "NOINIT", "NODEINIT",
}

// Directive is one line of a recipe.
type Directive struct {
	Name    string
	Options map[string]string // of the brackets
	Args    []string          // without the quotes that enclose a whole argument
	Raw     string            // the arguments as they were written, a heredoc's mark left out
	Heredoc *string           // its body
	Text    string            // the line as it was written, without the heredoc's body
	Line    int
}

// Error is a recipe that cannot be read, with the place.
type Error struct {
	Line, Column int
	Err          error
}

// Error tells it with the place.
func (e *Error) Error() string {
	return fmt.Sprintf("jailfile parse error on line %d, column %d: %v", e.Line, e.Column, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

var (
	name    = regexp.MustCompile(`^[A-Z][A-Z0-9_]*`)
	heredoc = regexp.MustCompile(`(^|\s)<<(-?)([A-Z][A-Z0-9_]*)\s*$`)
)

// maxLine bounds a line.
const maxLine = 1 << 20

// Parse reads a Jailfile.
func Parse(r io.Reader) ([]Directive, error) {
	p := &reader{lines: bufio.NewScanner(r)}
	p.lines.Buffer(nil, maxLine)
	var all []Directive
	for {
		text, at, ok := p.logical()
		if !ok {
			break
		}
		d, err := p.directive(text, at)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, p.lines.Err()
}

type reader struct {
	lines *bufio.Scanner
	at    int // the number of the line that was read last
}

func (p *reader) next() (string, bool) {
	if !p.lines.Scan() {
		return "", false
	}
	p.at++
	return strings.TrimSuffix(p.lines.Text(), "\r"), true
}

// logical returns the next line that says something, with those that continue it.
func (p *reader) logical() (text string, at int, ok bool) {
	for {
		line, more := p.next()
		if !more {
			return text, at, text != ""
		}
		trimmed := strings.TrimSpace(line)
		switch {
		case text == "" && (trimmed == "" || strings.HasPrefix(trimmed, "#")):
			continue
		case text == "":
			at = p.at
		}
		before, continued := strings.CutSuffix(line, `\`)
		text += before
		if !continued {
			return text, at, true
		}
	}
}

func (p *reader) directive(text string, at int) (Directive, error) {
	indent := len(text) - len(strings.TrimLeft(text, " \t"))
	rest := strings.TrimSpace(text)
	d := Directive{Name: name.FindString(rest), Line: at, Text: rest}
	if d.Name == "" || !slices.Contains(Directives, d.Name) {
		word, _, _ := strings.Cut(rest, " ")
		return d, &Error{at, indent + 1, fmt.Errorf("unknown directive: %s", word)}
	}
	rest = rest[len(d.Name):]
	if strings.HasPrefix(rest, "[") {
		inside, after, closed := strings.Cut(rest[1:], "]")
		if !closed {
			return d, &Error{at, indent + len(d.Name) + 1, fmt.Errorf("the bracket of %s is not closed", d.Name)}
		}
		d.Options = options(inside)
		rest = after
	}
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return d, &Error{at, indent + len(text) - indent - len(rest) + 1, fmt.Errorf("a blank must follow %s", d.Name)}
	}
	if m := heredoc.FindStringSubmatch(rest); m != nil {
		body, err := p.body(m[3], m[2] == "-", at)
		if err != nil {
			return d, err
		}
		d.Heredoc = &body
		rest = rest[:len(rest)-len(m[0])]
	}
	d.Raw = strings.TrimSpace(rest)
	args, err := split(d.Raw)
	if err != nil {
		return d, &Error{at, 1 + strings.Index(text, d.Raw), err}
	}
	d.Args = args
	return d, nil
}

func options(text string) map[string]string {
	all := map[string]string{}
	for _, pair := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(pair, ":")
		all[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return all
}

// body reads a heredoc up to the line that is its tag.
func (p *reader) body(tag string, strip bool, at int) (string, error) {
	var b strings.Builder
	for {
		line, ok := p.next()
		if !ok {
			return "", &Error{at, 1, fmt.Errorf("unterminated heredoc: no line is %s", tag)}
		}
		if strip {
			line = strings.TrimLeft(line, "\t")
		}
		if line == tag {
			return b.String(), nil
		}
		b.WriteString(line + "\n")
	}
}

// split takes a line into arguments. Quotes keep blanks together; those around a whole argument are taken away, others stay.
func split(line string) ([]string, error) {
	var args []string
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		end := 0
		var quote byte
		for ; end < len(line); end++ {
			c := line[end]
			switch {
			case quote != 0 && c == '\\' && quote == '"':
				end++
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			}
			if quote == 0 && (c == ' ' || c == '\t') {
				break
			}
		}
		if quote != 0 {
			return nil, fmt.Errorf("a quotation that begins with %c is not closed", quote)
		}
		end = min(end, len(line))
		args = append(args, unquote(line[:end]))
		line = line[end:]
	}
	return args, nil
}

func unquote(word string) string {
	if n := len(word); n >= 2 && (word[0] == '"' || word[0] == '\'') && word[n-1] == word[0] && strings.Count(word, word[:1]) == 2 {
		return word[1 : n-1]
	}
	return word
}

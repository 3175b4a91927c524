package imageformat

import (
	"fmt"
	"strings"
)

// Expand replaces the variables of an interpolated string, in the shell's words:
//
//	$NAME ${NAME}                the value; it is an error when NAME is not set
//	${NAME:-text} ${NAME:=text}  text when NAME is not set or empty; without the colon, only when it is not set
//	${NAME:+text}                text when NAME is set and not empty
//	${NAME:?text}                an error that says text when NAME is not set or empty
//	$$                           one $
//
// text is expanded in turn. Every other $ stands for itself. The original xc had no escape and failed on all other uses. A
// result of more than MaxExpanded bytes is an error: a few variables that name each other twice would else fill any memory.
func Expand(s string, lookup func(name string) (value string, set bool)) (string, error) {
	out, rest, err := expand(s, lookup, false, 0)
	if err == nil && rest != "" {
		err = invalid("interpolated string", "%q", s)
	}
	return out, err
}

// MaxExpanded bounds what one interpolated string becomes, in bytes. No system passes a longer word to a program: Linux
// takes 128 KiB, FreeBSD 512 KiB for all of them.
const MaxExpanded = 512 << 10

// Literal returns the interpolated string that expands to s whatever is set.
func Literal(s string) string { return strings.ReplaceAll(s, "$", "$$") }

const maxNesting = 32

func expand(s string, lookup func(string) (string, bool), inBraces bool, depth int) (out, rest string, err error) {
	if depth > maxNesting {
		return "", "", invalid("interpolated string", "it is nested too deeply")
	}
	var b strings.Builder
	for s != "" {
		if inBraces && s[0] == '}' {
			break
		}
		if s[0] != '$' {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		var text string
		text, s, err = expandDollar(s, lookup, depth)
		if err != nil {
			return "", "", err
		}
		if b.Len()+len(text) > MaxExpanded {
			return "", "", invalid("interpolated string", "it becomes longer than %d bytes", MaxExpanded)
		}
		b.WriteString(text)
	}
	return b.String(), s, nil
}

func expandDollar(s string, lookup func(string) (string, bool), depth int) (out, rest string, err error) {
	switch {
	case strings.HasPrefix(s, "$$"):
		return "$", s[2:], nil
	case strings.HasPrefix(s, "${"):
		return expandBraces(s[2:], lookup, depth)
	}
	name := variable(s[1:])
	if name == "" {
		return "$", s[1:], nil
	}
	v, ok := lookup(name)
	if !ok {
		return "", "", notSet(name, "")
	}
	return v, s[1+len(name):], nil
}

// expandBraces reads from behind "${" to behind the matching brace.
func expandBraces(s string, lookup func(string) (string, bool), depth int) (out, rest string, err error) {
	name := variable(s)
	if name == "" {
		return "", "", invalid("interpolated string", "${ without a name")
	}
	s = s[len(name):]
	v, set := lookup(name)
	if strings.HasPrefix(s, "}") {
		if !set {
			return "", "", notSet(name, "")
		}
		return v, s[1:], nil
	}
	if strings.HasPrefix(s, ":") {
		s = s[1:]
		set = set && v != ""
	}
	if s == "" || !strings.ContainsRune("-=+?", rune(s[0])) {
		return "", "", invalid("interpolated string", "${%s is not ended", name)
	}
	op := s[0]
	// The text of an alternative that is not taken must be well formed but need not be expandable.
	inner := lookup
	if (op == '+') != set {
		inner = func(string) (string, bool) { return "", true }
	}
	text, rest, err := expand(s[1:], inner, true, depth+1)
	if err != nil {
		return "", "", err
	}
	if !strings.HasPrefix(rest, "}") {
		return "", "", invalid("interpolated string", "${%s is not ended", name)
	}
	rest = rest[1:]
	switch {
	case op == '+' && set, op != '+' && !set && op != '?':
		return text, rest, nil
	case op == '+':
		return "", rest, nil
	case op == '?' && !set:
		return "", "", notSet(name, text)
	}
	return v, rest, nil
}

// UnsetError says that an interpolated string needs a variable that is not set.
type UnsetError struct {
	Name    string
	Message string // what the string itself says about it, may be empty
}

// Error returns the string's own message, or that the variable is not set.
func (e *UnsetError) Error() string {
	if e.Message != "" {
		return fmt.Sprintf("%s: %s", e.Name, e.Message)
	}
	return fmt.Sprintf("variable %s is not set", e.Name)
}

func notSet(name, message string) error { return &UnsetError{Name: name, Message: message} }

// variable returns the name that s begins with.
func variable(s string) string {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return s[:i]
		}
	}
	return s
}

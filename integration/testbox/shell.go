package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// shell runs "sh -c LINE [NAME ARGS…]", or lines of stdin: commands joined by ; && || and line feeds, words with quotes and
// $variables, redirections > >> 2>&1 and <, "cd DIR", "exec COMMAND", "exit N", "export K=V", "trap ” TERM" (ignore), a
// trailing & for the background. It is no more of a shell than tests need.
func shell(args []string, s stdio) int {
	x := &script{stdio: s, vars: map[string]string{}}
	if len(args) >= 2 && strings.HasPrefix(args[0], "-") && strings.HasSuffix(args[0], "c") {
		for i, a := range args[2:] {
			x.vars[strconv.Itoa(i)] = a
		}
		x.run(args[1])
		return x.code
	}
	text, err := io.ReadAll(s.in)
	if err != nil {
		return s.fail(err)
	}
	x.in = strings.NewReader("")
	x.run(string(text))
	return x.code
}

// script is a shell's state.
type script struct {
	stdio
	vars map[string]string
	code int
	done bool
}

// word is one word of a line; op is set for an operator.
type word struct {
	text string
	op   bool
}

func (x *script) run(text string) {
	var cmd []word
	skip := false
	for _, w := range append(x.split(text), word{";", true}) {
		if !w.op || w.text == ">" || w.text == ">>" || w.text == "<" {
			cmd = append(cmd, w)
			continue
		}
		if len(cmd) > 0 && !skip && !x.done {
			x.code = x.command(x.expand(cmd), w.text == "&")
		}
		cmd = nil
		switch w.text {
		case "&&":
			skip = x.code != 0
		case "||":
			skip = x.code == 0
		default:
			skip = false
		}
	}
}

// raw marks text that must not be expanded: it stood in single quotes.
const raw = "\x00"

func (x *script) split(text string) []word {
	var words []word
	var cur strings.Builder
	open := false
	end := func() {
		if open {
			words = append(words, word{cur.String(), false})
			cur.Reset()
			open = false
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'':
			j := strings.IndexByte(text[i+1:], '\'')
			if j < 0 {
				j = len(text) - i - 1
			}
			cur.WriteString(raw + text[i+1:min(i+1+j, len(text))] + raw)
			open = true
			i += j + 1
		case c == '"':
			open = true
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' && i+1 < len(text) {
					i++
				}
				cur.WriteByte(text[i])
			}
		case c == '\\' && i+1 < len(text):
			i++
			cur.WriteByte(text[i])
			open = true
		case c == ' ' || c == '\t':
			end()
		case strings.HasPrefix(text[i:], "2>&1"):
			end()
			words = append(words, word{"2>&1", false})
			i += 3
		case strings.HasPrefix(text[i:], "&&"), strings.HasPrefix(text[i:], "||"), strings.HasPrefix(text[i:], ">>"):
			end()
			words = append(words, word{text[i : i+2], true})
			i++
		case strings.IndexByte(";&<>\n", c) >= 0:
			end()
			words = append(words, word{string(c), true})
		default:
			cur.WriteByte(c)
			open = true
		}
	}
	end()
	return words
}

func (x *script) expand(cmd []word) []word {
	for i, w := range cmd {
		parts := strings.Split(w.text, raw)
		for j := 0; j < len(parts); j += 2 {
			parts[j] = os.Expand(parts[j], x.variable)
		}
		cmd[i].text = strings.Join(parts, "")
	}
	return cmd
}

func (x *script) variable(name string) string {
	switch name {
	case "?":
		return strconv.Itoa(x.code)
	case "$":
		return strconv.Itoa(os.Getpid())
	}
	if v, ok := x.vars[name]; ok {
		return v
	}
	for i := len(x.env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(x.env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// command runs one command with its redirections.
func (x *script) command(words []word, background bool) int {
	s := x.stdio
	var args []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w.text == "2>&1" && !w.op {
			s.err = s.out
			continue
		}
		if !w.op {
			args = append(args, w.text)
			continue
		}
		if i++; i == len(words) {
			return s.fail(errors.New("a redirection without a file"))
		}
		f, err := redirect(w.text, s.path(words[i].text))
		if err != nil {
			return s.fail(err)
		}
		defer f.Close()
		if w.text == "<" {
			s.in = f
		} else {
			s.out = f
		}
	}
	if len(args) == 0 {
		return 0
	}
	if k, v, ok := strings.Cut(args[0], "="); ok && len(args) == 1 {
		x.vars[k] = v
		return 0
	}
	return x.builtin(args, s, background)
}

func redirect(op, path string) (*os.File, error) {
	switch op {
	case "<":
		return os.Open(path)
	case ">>":
		return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	}
	return os.Create(path)
}

func (x *script) builtin(args []string, s stdio, background bool) int {
	switch args[0] {
	case "cd":
		x.dir = x.path(args[len(args)-1])
		return 0
	case "export":
		x.env = append(x.env, args[1:]...)
		return 0
	case "exit":
		x.done = true
		return exit(args[1:], s)
	case "trap":
		for _, name := range args[2:] {
			ignore(name)
		}
		return 0
	case "exec":
		return x.program(args[1:], s, true)
	case ":", "set":
		return 0
	}
	if background {
		if err := self(s, args...).Start(); err != nil {
			return s.fail(err)
		}
		return 0
	}
	if run, ok := commands()[args[0]]; ok && args[0] != "sh" {
		return run(args[1:], s)
	}
	return x.program(args, s, false)
}

func ignore(name string) {
	switch strings.TrimPrefix(name, "SIG") {
	case "TERM":
		signal.Ignore(syscall.SIGTERM)
	case "INT":
		signal.Ignore(syscall.SIGINT)
	case "HUP":
		signal.Ignore(syscall.SIGHUP)
	}
}

// program runs a file, in place of the shell when it is told so.
func (x *script) program(args []string, s stdio, replace bool) int {
	if len(args) == 0 {
		return 0
	}
	path, err := x.find(args[0])
	if err != nil {
		io.WriteString(s.err, "sh: "+args[0]+": not found\n") //nolint:errcheck // there is nowhere else to say it
		return 127
	}
	if replace {
		if err := os.Chdir(x.dir); err != nil {
			return s.fail(err)
		}
		return s.fail(syscall.Exec(path, args, x.env))
	}
	c := exec.Command(path, args[1:]...)
	c.Stdin, c.Stdout, c.Stderr, c.Env, c.Dir = s.in, s.out, s.err, s.env, x.dir
	err = c.Run()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		if ws, ok := ended.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return 128 + int(ws.Signal())
		}
		return ended.ExitCode()
	}
	s.fail(err)
	return 126
}

func (x *script) find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return x.path(name), nil
	}
	for _, dir := range filepath.SplitList(x.variable("PATH")) {
		p := filepath.Join(dir, name)
		if fi, err := os.Stat(p); err == nil && fi.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", os.ErrNotExist
}

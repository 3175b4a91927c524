package doctor

import (
	"io/fs"
	"strings"
)

// Step is one change of the host, a Command or an Edit, or an Answer that is waited for. Doing it again changes nothing more.
type Step interface {
	// Lines is what an administrator would type, or read: commands, or the diff of a file.
	Lines() []string
	key() string
}

// Command runs a tool of the host.
type Command struct {
	Argv []string
}

func command(argv ...string) Step { return Command{argv} }

// Lines is the command line.
func (c Command) Lines() []string { return []string{quoted(c.Argv)} }

func (c Command) key() string { return strings.Join(c.Argv, "\x00") }

// Answer waits until xcd answers on its own socket: what started it does not.
type Answer struct {
	Path string
}

// Lines is what shows that it does.
func (a Answer) Lines() []string {
	return []string{"xc -s " + a.Path + " version    # until it answers"}
}

func (a Answer) key() string { return "answer\x00" + a.Path }

// Edit replaces a file. It is refused when the file is not as it was found.
type Edit struct {
	Path     string
	Old, New string
	Absent   bool        // the file was not there
	Mode     fs.FileMode // of a file that is made; one that is there keeps its own
	// Check is a tool that must accept the new content, whose path is given as last argument; nil needs none.
	Check []string
	// Typed is the command that does the same, where one is short enough.
	Typed string
}

// Lines is the diff.
func (e Edit) Lines() []string { return strings.Split(strings.TrimSuffix(e.Diff(), "\n"), "\n") }

// Diff is the change as a unified diff.
func (e Edit) Diff() string {
	from := e.Path
	if e.Absent {
		from = "/dev/null"
	}
	return unified(from, e.Path, e.Old, e.New)
}

func (e Edit) key() string { return e.Path + "\x00" + e.New }

// mends are a finding's steps as commands.
func mends(steps []Step) []string {
	var all []string
	for _, s := range steps {
		e, edit := s.(Edit)
		switch {
		case isAnswer(s):
		case !edit:
			all = append(all, s.Lines()...)
		case e.Typed != "":
			all = append(all, e.Typed)
		default:
			all = append(all, "xc setup    # shows the change of "+e.Path+" first")
		}
	}
	return all
}

func isAnswer(s Step) bool {
	_, is := s.(Answer)
	return is
}

// quoted joins arguments as a shell would read them back.
func quoted(argv []string) string {
	var words []string
	for _, a := range argv {
		if a == "" || strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=+,@%-") != "" {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

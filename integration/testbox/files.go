package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ls [DIR…]: names, one a line, directories with a slash.
func ls(args []string, s stdio) int {
	if len(args) == 0 {
		args = []string{"."}
	}
	for _, dir := range args {
		entries, err := os.ReadDir(s.path(dir))
		if err != nil {
			return s.fail(err)
		}
		for _, e := range entries {
			name := e.Name()
			if e.IsDir() {
				name += "/"
			}
			fmt.Fprintln(s.out, name)
		}
	}
	return 0
}

// stat PATH…: mode, owner, group, size, name, and the target of a link.
func stat(args []string, s stdio) int {
	for _, name := range args {
		fi, err := os.Lstat(s.path(name))
		if err != nil {
			return s.fail(err)
		}
		var uid, gid uint32
		if st, ok := fi.Sys().(*syscall.Stat_t); ok {
			uid, gid = st.Uid, st.Gid
		}
		fmt.Fprintf(s.out, "%v %o %d %d %d %s", fi.Mode().Type()|fi.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky), fi.Mode().Perm(), uid, gid, fi.Size(), name)
		if target, err := os.Readlink(s.path(name)); err == nil {
			fmt.Fprintf(s.out, " -> %s", target)
		}
		fmt.Fprintln(s.out)
	}
	return 0
}

func touch(args []string, s stdio) int {
	return each(args, s, func(p string) error {
		f, err := os.OpenFile(p, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

// mkdir [-p] DIR…
func mkdir(args []string, s stdio) int {
	if len(args) > 0 && args[0] == "-p" {
		args = args[1:]
	}
	return each(args, s, func(p string) error { return os.MkdirAll(p, 0o755) })
}

// rm [-r|-f|-rf] PATH…
func rm(args []string, s stdio) int {
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		return each(args[1:], s, os.RemoveAll)
	}
	return each(args, s, os.Remove)
}

// ln [-s] TARGET NAME
func ln(args []string, s stdio) int {
	link := func(target, name string) error { return os.Link(s.path(target), name) }
	if len(args) == 3 && args[0] == "-s" {
		args, link = args[1:], os.Symlink
	}
	if len(args) != 2 {
		return 2
	}
	if err := link(args[0], s.path(args[1])); err != nil {
		return s.fail(err)
	}
	return 0
}

// write FILE WORDS…: the words become the file's content.
func write(args []string, s stdio) int {
	if len(args) == 0 {
		return 2
	}
	if err := os.WriteFile(s.path(args[0]), []byte(strings.Join(args[1:], " ")+"\n"), 0o644); err != nil {
		return s.fail(err)
	}
	return 0
}

// chmod OCTAL PATH…
func chmod(args []string, s stdio) int {
	mode, err := strconv.ParseUint(args[0], 8, 32)
	if err != nil {
		return s.fail(err)
	}
	return each(args[1:], s, func(p string) error { return syscall.Chmod(p, uint32(mode)) })
}

// chown UID:GID PATH…
func chown(args []string, s stdio) int {
	u, g, _ := strings.Cut(args[0], ":")
	uid, err := strconv.Atoi(u)
	if err != nil {
		return s.fail(err)
	}
	gid, err := strconv.Atoi(g)
	if err != nil {
		return s.fail(err)
	}
	return each(args[1:], s, func(p string) error { return os.Lchown(p, uid, gid) })
}

// test -e|-f|-d|-w PATH
func test(args []string, s stdio) int {
	if len(args) != 2 {
		return 2
	}
	p := s.path(args[1])
	fi, err := os.Stat(p)
	ok := err == nil
	switch args[0] {
	case "-f":
		ok = ok && fi.Mode().IsRegular()
	case "-d":
		ok = ok && fi.IsDir()
	case "-w":
		f, err := os.CreateTemp(p, "w")
		if ok = err == nil; ok {
			f.Close()
			os.Remove(f.Name())
		}
	}
	if ok {
		return 0
	}
	return 1
}

func pwd(_ []string, s stdio) int {
	fmt.Fprintln(s.out, filepath.Clean(s.dir))
	return 0
}

func each(paths []string, s stdio, f func(string) error) int {
	for _, p := range paths {
		if err := f(s.path(p)); err != nil {
			return s.fail(err)
		}
	}
	return 0
}

package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// command does its work with the arguments after its name and returns the exit code.
type command func(args []string, std stdio) int

// stdio is what a command reads and writes; the shell gives each its own.
type stdio struct {
	in       io.Reader
	out, err io.Writer
	env      []string
	dir      string
}

func commands() map[string]command {
	return map[string]command{
		"true": func([]string, stdio) int { return 0 }, "false": func([]string, stdio) int { return 1 },
		"echo": echo, "printf": printf, "cat": cat, "env": env, "exit": exit, "sleep": sleep, "sh": shell,
		"ls": ls, "stat": stat, "touch": touch, "mkdir": mkdir, "rm": rm, "ln": ln, "write": write, "chmod": chmod, "chown": chown, "test": test,
		"pwd": pwd, "id": id, "hostname": hostname, "tty": tty, "lines": lines, "bytes": manyBytes, "wc": wc, "sha256sum": sha,
		"mounts": mounts, "caps": caps, "limits": limits,
		"httpd": httpd, "get": get, "tcpecho": tcpEcho, "udpecho": udpEcho, "send": send, "say": say, "lookup": lookup, "ifaddrs": ifaddrs,
		"signals": signals, "forktree": forkTree, "memory": memory, "spin": spin, "kill": kill, "orphan": orphan, "ps": ps,
	}
}

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	all := commands()
	if all[name] == nil && len(args) > 0 {
		name, args = filepath.Base(args[0]), args[1:]
	}
	run, ok := all[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "testbox: %q is not one of %v\n", name, slices.Sorted(maps.Keys(all)))
		os.Exit(127)
	}
	dir, _ := os.Getwd() // a removed directory has no name
	os.Exit(run(args, stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Environ(), dir: dir}))
}

// fail reports an error the way commands do.
func (s stdio) fail(err error) int {
	fmt.Fprintln(s.err, "testbox:", err)
	return 1
}

// path resolves a name against the command's directory.
func (s stdio) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

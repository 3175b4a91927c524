package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// id: uid, gid and supplementary groups.
func id(_ []string, s stdio) int {
	groups, err := os.Getgroups()
	if err != nil {
		return s.fail(err)
	}
	slices.Sort(groups)
	fmt.Fprintf(s.out, "uid=%d gid=%d groups=%s\n", os.Getuid(), os.Getgid(), strings.Trim(fmt.Sprint(groups), "[]"))
	return 0
}

// hostname [NAME]: shows it, or sets it.
func hostname(args []string, s stdio) int {
	if len(args) > 0 {
		if err := setHostname(args[0]); err != nil {
			return s.fail(err)
		}
		return 0
	}
	name, err := os.Hostname()
	if err != nil {
		return s.fail(err)
	}
	fmt.Fprintln(s.out, name)
	return 0
}

// tty [-f|-w]: "ROWS COLS" of the terminal on stdin, or "not a tty" and 1. With -f it reports again at each change of size,
// with -w it waits until there is a size: a client may tell it after the start.
func tty(args []string, s stdio) int {
	show := func() bool {
		ws, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
		if err != nil {
			fmt.Fprintln(s.out, "not a tty")
			return false
		}
		fmt.Fprintln(s.out, ws.Row, ws.Col)
		return true
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	if ws, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ); err == nil && ws.Row == 0 && len(args) > 0 && args[0] == "-w" {
		<-resized
	}
	if !show() {
		return 1
	}
	if len(args) > 0 && args[0] == "-f" {
		for range resized {
			show()
		}
	}
	return 0
}

// signals [CODE]: reports each signal that it gets; TERM and INT end it, with CODE if given.
func signals(args []string, s stdio) int {
	got := make(chan os.Signal, 16)
	signal.Notify(got)
	fmt.Fprintln(s.out, "ready")
	for sig := range got {
		if sig == syscall.SIGURG || sig == syscall.SIGCHLD {
			continue // the Go runtime's own, and children's
		}
		fmt.Fprintln(s.out, "got", unix.SignalName(sig.(syscall.Signal)))
		if sig == syscall.SIGTERM || sig == syscall.SIGINT {
			return exit(args, s)
		}
	}
	return 0
}

// self starts this program again under another command.
func self(s stdio, args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	if exe, err := os.Executable(); err == nil {
		c = exec.Command(exe, args...)
	}
	c.Env, c.Dir, c.Stdout, c.Stderr = s.env, s.dir, s.out, s.err
	return c
}

// forktree DEPTH WIDTH SECONDS: a tree of processes, each with WIDTH children, that all sleep.
func forkTree(args []string, s stdio) int {
	if len(args) != 3 {
		return 2
	}
	depth, err := strconv.Atoi(args[0])
	if err != nil {
		return s.fail(err)
	}
	width, err := strconv.Atoi(args[1])
	if err != nil {
		return s.fail(err)
	}
	for range width {
		if depth == 0 {
			break
		}
		if err := self(s, "forktree", strconv.Itoa(depth-1), args[1], args[2]).Start(); err != nil {
			return s.fail(err)
		}
	}
	fmt.Fprintln(s.out, "up", depth)
	return sleep(args[2:], s)
}

// orphan SECONDS: leaves a child that goes on with this process's output open, and ends.
func orphan(args []string, s stdio) int {
	c := self(s, append([]string{"sleep"}, args...)...)
	if err := c.Start(); err != nil {
		return s.fail(err)
	}
	fmt.Fprintln(s.out, "left", c.Process.Pid)
	return 0
}

// memory MEGABYTES [SECONDS]: takes and touches that much.
func memory(args []string, s stdio) int {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return s.fail(err)
	}
	var held [][]byte
	for range n {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
	}
	fmt.Fprintln(s.out, "holds", len(held), "MB")
	return sleep(args[1:], s)
}

// spin SECONDS: uses one processor.
func spin(args []string, s stdio) int {
	seconds, err := strconv.ParseFloat(args[0], 64)
	if err != nil {
		return s.fail(err)
	}
	for end := time.Now().Add(time.Duration(seconds * float64(time.Second))); time.Now().Before(end); {
	}
	return 0
}

// kill SIGNAL PID
func kill(args []string, s stdio) int {
	if len(args) != 2 {
		return 2
	}
	pid, err := strconv.Atoi(args[1])
	if err != nil {
		return s.fail(err)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(args[0], "-"))
	if err != nil {
		return s.fail(err)
	}
	if err := syscall.Kill(pid, syscall.Signal(n)); err != nil {
		return s.fail(err)
	}
	return 0
}

// limits: the soft and hard bounds of core files and of the address space. (That of open files says nothing here: Go's runtime
// raises its own.)
func limits(_ []string, s stdio) int {
	for name, which := range map[string]int{"as": syscall.RLIMIT_AS, "core": syscall.RLIMIT_CORE} {
		var r syscall.Rlimit
		if err := syscall.Getrlimit(which, &r); err != nil {
			return s.fail(err)
		}
		fmt.Fprintln(s.out, name, r.Cur, r.Max)
	}
	return 0
}

// ps: number and command of each process that is seen here.
func ps(_ []string, s stdio) int {
	all, err := processes()
	if err != nil {
		return s.fail(err)
	}
	for _, p := range all {
		fmt.Fprintln(s.out, p.pid, strings.Join(p.args, " "))
	}
	return 0
}

// seen is one process; args is empty for one that ended meanwhile.
type seen struct {
	pid  int
	args []string
}

// words takes apart the arguments of a process as the system gives them, each ended by a NUL.
func words(args []byte) []string {
	return strings.Split(strings.TrimRight(string(args), "\x00"), "\x00")
}

// Package initproc is docker-init: the first process of a container that asked for --init. It runs the program, passes on
// the signals it gets, reaps the orphans that are left to it, and ends as the program ended. It also runs what an image wants run
// before and after the program (Chain), in a jail too, where it is the second stage of the shim that stays.
//
// It is a mode of the shim's binary, which is static and can be mounted into any root; cmd/xc-shim calls Main when it is run
// under the name of Name. Like tini, which Docker uses, it gives the program a process group of its own and, on a terminal,
// the foreground. SIGURG is not passed on: the Go runtime sends it to itself.
package initproc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Name is the program's name in a container.
const Name = "docker-init"

// The exit codes of a program that cannot be run, as shells have them.
const (
	exitUsage    = 2
	exitDenied   = 126
	exitNotFound = 127
)

// kept are the signals that stay here: those that tell of this process itself, and SIGURG.
var kept = []os.Signal{
	syscall.SIGCHLD, syscall.SIGURG, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGFPE, syscall.SIGILL, syscall.SIGSEGV,
	syscall.SIGBUS, syscall.SIGABRT, syscall.SIGTRAP, syscall.SIGSYS, syscall.SIGPIPE,
}

// Main runs "[--wait-for-all] -- program args..." to its end and returns its exit code. With --wait-for-all it goes on until
// the last process that was left to it has ended; the code is the program's all the same. "--version" prints a line. What is to
// be run before and after it stands in the environment (ChainVariable).
func Main(args []string, stdout, stderr io.Writer) int {
	c, err := takeChain()
	if err != nil {
		fmt.Fprintf(stderr, "%s: %s: %v\n", Name, ChainVariable, err)
		return exitUsage
	}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		flag := args[0]
		args = args[1:]
		switch flag {
		case "--version":
			fmt.Fprintln(stdout, Name, "of xc")
			return 0
		case "--wait-for-all":
			c.All = true
			continue
		case "--":
		default:
			fmt.Fprintf(stderr, "%s: unknown option %s\n", Name, flag)
			return exitUsage
		}
		break
	}
	if len(args) == 0 {
		fmt.Fprintf(stderr, "%s: no program is given\n", Name)
		return exitUsage
	}
	c.Main.Args = args
	return c.Run(stderr)
}

// attributes gives the program a process group, and the terminal's foreground when standard input is this process's terminal.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if _, err := unix.IoctlGetInt(0, unix.TIOCGPGRP); err == nil {
		a.Foreground, a.Ctty = true, 0
	}
	return a
}

func failure(err error) int {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOEXEC) {
		return exitDenied
	}
	return exitNotFound
}

// cause leaves out the names that the message has already.
func cause(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err
}

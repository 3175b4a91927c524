package launch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// lookup finds the program that a word names, by the PATH of env when it has no slash.
func lookup(word string, env []string) (string, error) {
	if strings.Contains(word, "/") {
		return word, executable(word)
	}
	var denied error
	for _, dir := range filepath.SplitList(value(env, "PATH")) {
		file := filepath.Join(dir, word)
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if errors.Is(err, unix.EACCES) && denied == nil {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", unix.ENOENT
}

// executable reports why this process cannot execute a file.
func executable(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return unix.EISDIR
	}
	return unix.Access(file, unix.X_OK)
}

// value returns what env sets a name to.
func value(env []string, name string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

func has(env []string, name string) bool {
	return slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
}

// notExecuted says why a program cannot be executed, in the words of runc, which Docker's clients look for.
func notExecuted(word string, err error) error {
	e := &engine.Error{Op: "start", Kind: engine.Invalid, Args: []string{word}}
	text := err.Error()
	var errno unix.Errno
	if errors.As(err, &errno) {
		text = errno.Error()
	}
	switch {
	case errors.Is(err, unix.EISDIR):
		e.Reason = engine.ReasonExecIsDir
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		e.Reason = engine.ReasonExecDenied
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		e.Reason = engine.ReasonExecNotFound
		if !strings.Contains(word, "/") {
			text = "executable file not found in $PATH"
		} else {
			text = "stat " + word + ": " + text
		}
	case errors.Is(err, unix.ENOEXEC):
		e.Args, text = nil, "exec format error: a program of a Linux image needs the Linuxulator (kldload linux64; for static programs also sysctl kern.elf64.fallback_brand=3)"
	default:
		e.Args = nil
	}
	e.Err = fmt.Errorf("unable to start container process: exec: %q: %s", word, text)
	return e
}

// notEntered says why a directory cannot be the working directory.
func notEntered(dir string, err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		err = errno
	}
	return &engine.Error{
		Op: "start", Kind: engine.Invalid, Reason: engine.ReasonBadCwd, Args: []string{dir},
		Err: fmt.Errorf("unable to start container process: chdir to cwd (%q) set in config.json failed: %w", dir, err),
	}
}

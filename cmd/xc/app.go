package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/client"
)

// askTimeout bounds questions whose answers take no work.
const askTimeout = 30 * time.Second

// app is what the commands share.
type app struct {
	socket         string
	dump           bool // the command line alone
	stdin          io.Reader
	stdout, stderr io.Writer
	// signals gives this program's signals to somebody, until restore is called.
	signals func(to func(os.Signal)) (restore func())

	once   sync.Once
	client *client.Client
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	a := &app{socket: defaultSocket, stdin: stdin, stdout: stdout, stderr: stderr}
	a.signals = func(func(os.Signal)) func() { return func() {} }
	if s := os.Getenv(socketVariable); s != "" {
		a.socket = s
	}
	return a
}

// socketVariable names the socket where -s does not.
const socketVariable = "XC_SOCKET"

// begin is called before every command.
func (a *app) begin(cmd *cobra.Command, args []string) error {
	if !a.dump {
		return nil
	}
	fmt.Fprintln(a.stderr, cmd.CommandPath())
	cmd.Flags().Visit(func(f *pflag.Flag) { fmt.Fprintf(a.stderr, "  --%s %s\n", f.Name, f.Value) })
	for _, arg := range args {
		fmt.Fprintf(a.stderr, "  %q\n", arg)
	}
	return exitCode(0)
}

// daemon is the daemon's client. Nothing is connected before something is asked.
func (a *app) daemon() *client.Client {
	a.once.Do(func() { a.client = client.New(a.socket) })
	return a.client
}

// ask bounds a question.
func (a *app) ask(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return context.WithTimeout(cmd.Context(), askTimeout)
}

// println prints one line of a result.
func (a *app) println(words ...any) error {
	_, err := fmt.Fprintln(a.stdout, words...)
	return err
}

// warn tells something on stderr.
func (a *app) warn(text string) {
	_, _ = fmt.Fprintln(a.stderr, a.paint(a.stderr, red, "xc:"), text)
}

// each does something with several things, goes on after an error, tells each error and returns errReported if there was one.
// print, unless it is nil, is given what was done.
func (a *app) each(names []string, do func(name string) error, print func(name string) error) error {
	failed := false
	for _, name := range names {
		err := do(name)
		if err == nil && print != nil {
			err = print(name)
		}
		if err != nil {
			failed = true
			a.warn(describe(err))
		}
		if errors.Is(err, context.Canceled) || errors.As(err, new(*client.Unreachable)) {
			break
		}
	}
	if failed {
		return errReported
	}
	return nil
}

// describe makes a sentence of an error, with what can be done about it.
func describe(err error) string {
	var u *client.Unreachable
	switch {
	case errors.As(err, &u) && errors.Is(err, os.ErrNotExist):
		return err.Error() + "\nIs xcd running? \"xc doctor\" says what is missing; -s names another socket."
	case errors.As(err, &u) && errors.Is(err, os.ErrPermission):
		return err.Error() + "\nOnly root may use it, unless the daemon's configuration lets others."
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		return "the daemon did not answer in time"
	}
	return err.Error()
}

// notFound reports whether a thing of one sort is not there.
func notFound(err error, what engine.Resource) bool {
	var e *engine.Error
	return errors.As(err, &e) && e.Kind == engine.NotFound && e.Resource == what
}

// meant adds the names to an error that its word may be meant for.
func meant(err error, word string, names []string) error {
	var found []string
	for _, n := range names {
		if near(word, n) {
			found = append(found, n)
		}
	}
	if len(found) == 0 {
		return err
	}
	return fmt.Errorf("%w; did you mean %s?", err, strings.Join(found, " or "))
}

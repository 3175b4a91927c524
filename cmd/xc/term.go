package main

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// terminal returns the terminal that a stream is; nil when it is none.
func terminal(stream any) *os.File {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// size asks how large a terminal is; nil when it does not say.
func size(f *os.File) *wire.Size {
	if f == nil {
		return nil
	}
	cols, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || rows <= 0 || cols <= 0 {
		return nil
	}
	return &wire.Size{Rows: uint16(rows), Cols: uint16(cols)}
}

// color is an escape sequence's number (ECMA-48 8.3.117).
type color string

const (
	red   color = "31"
	green color = "32"
	dim   color = "2"
)

// paint colours a word on a terminal, and there alone. NO_COLOR and TERM=dumb keep it plain.
func (a *app) paint(on io.Writer, c color, word string) string {
	if terminal(on) == nil || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return word
	}
	return "\x1b[" + string(c) + "m" + word + "\x1b[0m"
}

package shim

import (
	"errors"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/reaper"
)

// signalNumber reads a signal's name, with or without "SIG", in any case, or its number. Real-time signals are RTMIN+n and
// RTMAX-n.
func signalNumber(s engine.Signal) (syscall.Signal, error) {
	if n, err := strconv.Atoi(string(s)); err == nil {
		if n <= 0 || n > reaper.RTMax {
			return 0, badSignal(s)
		}
		return syscall.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(string(s)), "SIG")
	for _, rt := range []struct {
		name string
		from int
	}{{"RTMIN", reaper.RTMin}, {"RTMAX", reaper.RTMax}} {
		rest, ok := strings.CutPrefix(name, rt.name)
		if !ok {
			continue
		}
		offset := 0
		if rest != "" {
			var err error
			if offset, err = strconv.Atoi(rest); err != nil || rest[0] != '+' && rest[0] != '-' {
				return 0, badSignal(s)
			}
		}
		if n := rt.from + offset; n >= reaper.RTMin && n <= reaper.RTMax {
			return syscall.Signal(n), nil
		}
		return 0, badSignal(s)
	}
	if n := unix.SignalNum("SIG" + name); n != 0 {
		return n, nil
	}
	return 0, badSignal(s)
}

func badSignal(s engine.Signal) error {
	return &engine.Error{Op: "signal", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: errors.New("invalid signal: " + string(s))}
}

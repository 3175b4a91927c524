package translate

import (
	"strconv"

	"github.com/xcengine/xc/engine"
)

func parseSignal(s string) (engine.Signal, error) {
	sig, err := engine.ParseSignal(s)
	if err != nil {
		return "", invalidf("%w", err)
	}
	return sig, nil
}

// lastSignal is the largest number of a signal.
func lastSignal(osType string) int {
	if osType == "freebsd" {
		return 128
	}
	return 64
}

// KillSignal reads the signal of a kill request; the empty one is the engine's default, SIGKILL.
func KillSignal(s string, host Host) (engine.Signal, error) {
	if s == "" {
		return "", nil
	}
	sig, err := parseSignal(s)
	if err != nil {
		return "", err
	}
	if n, err := strconv.Atoi(string(sig)); err == nil && (n < 0 || n > lastSignal(host.OSType)) {
		return "", invalidf("the %s daemon does not support signal %d", host.OSType, n)
	}
	return sig, nil
}

// StopOptions reads the query of a stop or restart: signal, and the seconds to wait, which may be absent.
func StopOptions(v Version, signal string, seconds *int) (engine.StopOptions, error) {
	o := engine.StopOptions{Timeout: seconds}
	if signal == "" || v.Before(1, 42) {
		return o, nil
	}
	sig, err := parseSignal(signal)
	if err != nil {
		return o, err
	}
	o.Signal = string(sig)
	return o, nil
}

package translate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// signalNames are the signals of Linux and FreeBSD without "SIG"; the platform refuses what it lacks.
var signalNames = strings.Fields(`ABRT ALRM BUS CHLD CLD CONT EMT FPE HUP ILL INFO INT IO IOT KILL LIBRT LWP PIPE POLL PROF
	PWR QUIT SEGV STKFLT STOP SYS TERM THR TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX`)

// parseSignal reads a signal as users write it: a name with or without "SIG", in any case, or a number.
func parseSignal(s string) (engine.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n == 0 {
			return "", invalidf("invalid signal: %s", s)
		}
		return engine.Signal(strconv.Itoa(n)), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if slices.Contains(signalNames, name) || isRealTime(name) {
		return engine.Signal(name), nil
	}
	return "", invalidf("invalid signal: %s", s)
}

// isRealTime reports whether a name is RTMIN+n or RTMAX-n.
func isRealTime(name string) bool {
	rest, ok := strings.CutPrefix(name, "RTMIN+")
	if !ok {
		if rest, ok = strings.CutPrefix(name, "RTMAX-"); !ok {
			return false
		}
	}
	n, err := strconv.Atoi(rest)
	return err == nil && 1 <= n && n <= 30
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

package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Signal is a signal by its name without "SIG" or its number in decimal, as users write it. Numbers are the platform's.
type Signal string

// signalNames are the signals of Linux and FreeBSD without "SIG"; the platform refuses what it lacks.
var signalNames = strings.Fields(`ABRT ALRM BUS CHLD CLD CONT EMT FPE HUP ILL INFO INT IO IOT KILL LIBRT LWP PIPE POLL PROF
	PWR QUIT SEGV STKFLT STOP SYS TERM THR TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX`)

// ParseSignal reads a signal as users write it: a name with or without "SIG", in any case, RTMIN+n and RTMAX-n among them, or a
// number. Whose program it is for does not matter: an image for Linux may be made on FreeBSD.
func ParseSignal(s string) (Signal, error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n == 0 {
			return "", fmt.Errorf("invalid signal: %s", s)
		}
		return Signal(strconv.Itoa(n)), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if slices.Contains(signalNames, name) || isRealTime(name) {
		return Signal(name), nil
	}
	return "", fmt.Errorf("invalid signal: %s", s)
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

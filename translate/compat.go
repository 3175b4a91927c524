package translate

import (
	"strconv"
	"strings"

	"github.com/docker/docker/api/types"
)

// Version is a version of the Docker API, "major.minor". The zero Version is older than any.
type Version struct {
	Major, Minor int
}

// The versions that are served, both included.
var (
	MinVersion = Version{1, 24}
	MaxVersion = Version{1, 51}
)

// String returns "major.minor".
func (v Version) String() string { return strconv.Itoa(v.Major) + "." + strconv.Itoa(v.Minor) }

// Before reports whether v is older than major.minor.
func (v Version) Before(major, minor int) bool {
	return v.Major < major || v.Major == major && v.Minor < minor
}

// ParseVersion reads the digits of a path's "/vX.Y" and checks that they are served; the empty string is MaxVersion. The
// error is Invalid and in dockerd's words; the version is returned with it, for the sake of those who answer very old clients.
func ParseVersion(s string) (Version, error) {
	if s == "" {
		return MaxVersion, nil
	}
	var v Version
	parts := strings.Split(s, ".")
	v.Major = versionPart(parts[0])
	if len(parts) > 1 {
		v.Minor = versionPart(parts[1])
	}
	beyond := len(parts) > 2 && v == MaxVersion && strings.Trim(strings.Join(parts[2:], ""), "0") != ""
	switch {
	case v.Before(MinVersion.Major, MinVersion.Minor):
		return v, invalidf("client version %s is too old. Minimum supported API version is %s, "+
			"please upgrade your client to a newer version", s, MinVersion)
	case MaxVersion.Before(v.Major, v.Minor), beyond:
		return v, invalidf("client version %s is too new. Maximum supported API version is %s", s, MaxVersion)
	}
	return v, nil
}

// versionPart reads one number of a version; what is none counts as 0, what is absurd as the largest.
func versionPart(s string) int {
	n, err := strconv.Atoi(s)
	switch {
	case err == nil:
		return n
	case strings.Trim(s, "0123456789") == "" && s != "":
		return int(^uint(0) >> 1)
	}
	return 0
}

// NeedsVersion refuses an operation that is newer than the version the client speaks.
func NeedsVersion(method, path string, since, have Version) error {
	return invalidf("%s %s requires minimum API version %s, but the Docker daemon API version is %s", method, path, since, have)
}

// StreamType is the media type of a process's output. Only those who upgrade are told that it is multiplexed, and only since
// 1.42.
func StreamType(v Version, tty, upgrade bool) string {
	if !tty && upgrade && !v.Before(1, 42) {
		return types.MediaTypeMultiplexedStream
	}
	return types.MediaTypeRawStream
}

// LogType is the media type of a log.
func LogType(v Version, tty bool) string { return StreamType(v, tty, true) }

// OneShotStats reports whether stats may be asked for without the wait for a second sample.
func OneShotStats(v Version) bool { return !v.Before(1, 41) }

// WaitHeaders reports whether wait answers its status at once and knows conditions.
func WaitHeaders(v Version) bool { return !v.Before(1, 30) }

// WaitFailures reports whether wait can tell that a removal failed.
func WaitFailures(v Version) bool { return !v.Before(1, 34) }

// WebSocketChooses reports whether an attach by WebSocket says which streams it wants; before, it got all.
func WebSocketChooses(v Version) bool { return !v.Before(1, 42) }

// WebSocketBinary reports whether an attach by WebSocket sends binary frames.
func WebSocketBinary(v Version) bool { return !v.Before(1, 28) }

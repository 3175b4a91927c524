package builder

import (
	"strconv"
	"time"
)

// The arguments by which clients set the builder itself, as BuildKit's reference has them. A recipe sees them only by ARG.
const (
	cacheNamespace  = "BUILDKIT_CACHE_MOUNT_NS"
	keepGitDir      = "BUILDKIT_CONTEXT_KEEP_GIT_DIR"
	inlineCache     = "BUILDKIT_INLINE_CACHE" // images tell how they were made in any case
	sandboxHostname = "BUILDKIT_SANDBOX_HOSTNAME"
	sourceDateEpoch = "SOURCE_DATE_EPOCH"
)

// settings are what a build's arguments set.
type settings struct {
	namespace string    // of the ids of cache mounts
	hostname  string    // of RUN's containers; empty is their id
	created   time.Time // of images and in histories; zero is the time at which they are made
	dropGit   bool      // the context is to come without .git, with which dockerd's classic builder leaves it
}

func settingsOf(args map[string]*string) (settings, error) {
	text := func(name string) string {
		if v := args[name]; v != nil {
			return *v
		}
		return ""
	}
	s := settings{namespace: text(cacheNamespace), hostname: text(sandboxHostname)}
	if keep := text(keepGitDir); keep != "" {
		yes, err := strconv.ParseBool(keep)
		if err != nil {
			return s, invalidf("invalid %s: %w", keepGitDir, err)
		}
		s.dropGit = !yes
	}
	if epoch := text(sourceDateEpoch); epoch != "" {
		n, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return s, invalidf("invalid %s: %s: %w", sourceDateEpoch, epoch, err)
		}
		s.created = time.Unix(n, 0).UTC()
		if y := s.created.Year(); y < 0 || y > 9999 { // what JSON can say
			return s, invalidf("invalid %s: %s: it is in the year %d", sourceDateEpoch, epoch, y)
		}
	}
	return s, nil
}

// key is what a step's result depends on of them.
func (s settings) key() []string {
	if s.created.IsZero() {
		return nil
	}
	return []string{sourceDateEpoch + "=" + strconv.FormatInt(s.created.Unix(), 10)}
}

// consumed reports whether an argument needs no ARG that names it.
func consumed(name string) bool {
	switch name {
	case cacheNamespace, keepGitDir, inlineCache, sandboxHostname, sourceDateEpoch:
		return true
	}
	return predefined[name]
}

// hostKey is what RUN's results depend on beside.
func (s settings) hostKey() string {
	if s.hostname == "" {
		return ""
	}
	return " hostname=" + s.hostname
}

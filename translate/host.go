package translate

import "strings"

// Host is what translation must know of the daemon and its platform. It is the same for every request.
type Host struct {
	OSType        string // runtime.GOOS
	Arch          string // runtime.GOARCH
	Version       string // of the daemon
	CgroupVersion string // "1", "2", empty
	NCPU          int    // processors of the host; 0 is not known
	// Runtime is what inspect shows for a container that asked for none. Runtimes are the names that may be asked for
	// beside it.
	Runtime       string
	Runtimes      []string
	LogDriver     string // the daemon's default
	ContainersDir string // directory of the containers' own directories
	NetnsDir      string // directory of the containers' network namespaces; empty where there are none
}

// knowsRuntime reports whether a container may ask for the runtime.
func (h Host) knowsRuntime(name string) bool {
	for _, r := range append([]string{"", h.Runtime}, h.Runtimes...) {
		if r == name {
			return true
		}
	}
	return false
}

// file is the host path of one of the engine's files in a container's directory.
func (h Host) file(id, name string) string {
	return strings.TrimSuffix(h.ContainersDir, "/") + "/" + id + "/" + name
}

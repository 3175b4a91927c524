package translate

// Host is what translation must know of the daemon and its platform. It is the same for every request.
type Host struct {
	OSType        string // runtime.GOOS
	Version       string // of the daemon
	CgroupVersion string // "1", "2", empty
	Runtime       string // what inspect shows for a container that asked for none
	LogDriver     string // likewise
	ContainersDir string // directory of the containers' own directories
}

package engine

// MountKind says what is mounted.
type MountKind string

// The kinds of mount.
const (
	MountBind   MountKind = "bind"
	MountVolume MountKind = "volume"
	MountTmpfs  MountKind = "tmpfs"
	MountImage  MountKind = "image"
)

// MountOrigin says in which field of the request a mount stood, so that inspect gives it back there.
type MountOrigin string

// The origins.
const (
	OriginBinds     MountOrigin = "binds"     // HostConfig.Binds, -v
	OriginMounts    MountOrigin = "mounts"    // HostConfig.Mounts, --mount
	OriginDeclared  MountOrigin = "declared"  // an anonymous volume declared by image or user
	OriginInherited MountOrigin = "inherited" // --volumes-from
)

// MountSpec is one wanted mount.
type MountSpec struct {
	Kind        MountKind
	Origin      MountOrigin
	Raw         string // OriginBinds: the string as given
	Source      string // host path, volume name (empty: anonymous) or image reference
	Target      string // absolute, clean, inside the container
	ReadOnly    bool
	Mode        string // OriginBinds: the option part, as inspect shows it
	Consistency string
	// CreateSource makes an absent bind source as a directory (Docker's -v, not its --mount).
	CreateSource                                 bool
	Propagation                                  string // bind: "rprivate" when empty
	NonRecursive                                 bool
	ReadOnlyNonRecursive, ReadOnlyForceRecursive bool
	NoCopy                                       bool // volume: no copy-up of the image's content
	Subpath                                      string
	VolumeLabels                                 map[string]string
	VolumeDriver                                 string
	VolumeDriverOptions                          map[string]string
	TmpfsSize                                    int64  // bytes; 0 is no bound
	TmpfsMode                                    uint32 // permission bits; 0 is 01777
	TmpfsOptions                                 [][]string
}

// MountPoint is a mount as resolved for a container.
type MountPoint struct {
	Kind         MountKind
	Name         string // of the volume, or of the image as the user named it
	Source       string // host path
	Target       string // inside the container
	Driver       string // of the volume
	Mode         string
	ReadOnly     bool
	Propagation  string
	NonRecursive bool
	CopyUp       bool // fill from the image at first use
	Inherited    bool // of another container, by --volumes-from
	Subpath      string
	Anonymous    bool        // volume made for this container alone
	Image        ImageID     // image: what Name meant at create
	Root         ContainerID // image: the root that is made of it for this mount alone, named as containers' roots are
	Options      []string    // tmpfs: mount options
	Spec         int         // index into Spec.Mounts, -1 for none
}

// Mount is what a platform is told to mount inside a root. Target is absolute inside the root and is resolved there:
// no symbolic link leads out.
type Mount struct {
	Kind   MountKind
	Source string
	// Subpath is what is mounted of Source, relative to it. Containers write there: it is resolved once, no link in it leads out
	// of Source, and what was found is mounted, whatever stands at its name by then. Empty: Source itself.
	Subpath      string
	Target       string
	ReadOnly     bool
	Propagation  string
	NonRecursive bool
	Options      []string // tmpfs: "size=…", "mode=…"
}

// MountedRoot is a container's root where it is mounted now, with the mounts that cover parts of it.
type MountedRoot struct {
	Container string // as the user named it, for errors
	User      string // Spec.Process.User, looked up inside for ExtractOptions.KeepOwner
	Path      string // host path of the root
	ReadOnly  bool
	Mounts    []Mount // sources are host paths; a tmpfs has none and is reached through Live
	Live      string  // host path under which a running container's own view is seen (/proc/<pid>/root), or empty
}

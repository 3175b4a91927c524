package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/xcengine/xc/engine"
)

// Config is everything that can be set, with the keys of the configuration file: those that the original xc's file has, by
// their old names, and ours. Paths are absolute. Empty members take their default, which lies below StateDir when the
// configuration names one.
type Config struct {
	// The original's keys.
	ExtIfs               []string `json:"ext_ifs"`           // interfaces that published ports are redirected on; empty: all
	ImageDataset         string   `json:"image_dataset"`     // ZFS dataset for layers; must exist
	ContainerDataset     string   `json:"container_dataset"` // ZFS dataset for containers' roots; must exist
	DefaultVolumeDataset string   `json:"default_volume_dataset"`
	LayersDir            string   `json:"layers_dir"`
	LogsDir              string   `json:"logs_dir"`
	DevfsIDOffset        int      `json:"devfs_id_offset"`
	ForceDevfsRuleset    int      `json:"force_devfs_ruleset"`
	ImageDatabaseStore   string   `json:"image_database_store"` // accepted; images are kept in database_store
	DatabaseStore        string   `json:"database_store"`
	SocketPath           string   `json:"socket_path"`
	Registries           string   `json:"registries"`
	Inventory            string   `json:"inventory"`
	// Networks maps names of host interfaces to networks, as the original did; it must be empty.
	Networks map[string]json.RawMessage `json:"networks"`
	WarnOnly bool                       `json:"warn_only"`

	// Ours.
	StateDir      string            `json:"state_dir"`
	Hosts         []string          `json:"hosts"`        // where the Docker API is served: "unix:///path", "tcp://host:port", "fd://"
	Group         string            `json:"group"`        // owner group of the Docker socket
	TLSVerify     bool              `json:"tlsverify"`    // TCP with mutual TLS; the three files are needed then
	TLSCACert     string            `json:"tlscacert"`    // PEM file of the CA of the clients
	TLSCert       string            `json:"tlscert"`      // PEM file
	TLSKey        string            `json:"tlskey"`       // PEM file
	InsecureTCP   bool              `json:"insecure_tcp"` // TCP without TLS, on loopback alone
	StorageDriver string            `json:"storage_driver"`
	Runtime       string            `json:"runtime"` // name or path of the OCI runtime on Linux
	ShimPath      string            `json:"shim_path"`
	Init          bool              `json:"init"` // run containers under an init unless they say otherwise
	LogDriver     string            `json:"log_driver"`
	LogOpts       map[string]string `json:"log_opts"`
	Labels        []string          `json:"labels"`
	Mirrors       []string          `json:"registry_mirrors"`
	Insecure      []string          `json:"insecure_registries"`
	// Proxies for registries and for what recipes name by URL; empty: those of the environment, HTTP_PROXY and its like.
	HTTPProxy     string        `json:"http_proxy"`
	HTTPSProxy    string        `json:"https_proxy"`
	NoProxy       string        `json:"no_proxy"` // hosts, domains and networks that are reached directly, separated by commas
	MaxDownloads  int           `json:"max_concurrent_downloads"`
	MaxUploads    int           `json:"max_concurrent_uploads"`
	DefaultBridge DefaultBridge `json:"default_bridge"`
	Debug         bool          `json:"debug"`
	Access        []AccessRule  `json:"access"`
}

// AccessRule gives users other than root rights on xc's own socket: containers of their own, and what it names. Several rules for a
// user add up.
type AccessRule struct {
	Users    []string `json:"users"`    // names or numbers
	Groups   []string `json:"groups"`   // whose members have the rights too
	Rights   []string `json:"rights"`   // docs/daemon.md lists them
	Volumes  []string `json:"volumes"`  // patterns of names that may be mounted
	Networks []string `json:"networks"` // patterns of names that may be joined
	Paths    []string `json:"paths"`    // patterns of paths of the host that may be mounted by who can open them
}

// DefaultBridge sets up the network "bridge".
type DefaultBridge struct {
	Subnet string `json:"subnet"` // CIDR with the gateway as host part, "172.17.0.1/16"; empty: the first free default pool
	MTU    int    `json:"mtu"`
}

// Defaults returns what holds without a file or flags.
func Defaults() Config {
	c := Config{
		StateDir: "/var/lib/xc", SocketPath: "/var/run/xc.sock", Hosts: []string{"unix:///var/run/docker.sock"},
		DevfsIDOffset: 1000, LogDriver: "json-file", MaxDownloads: 3, MaxUploads: 5, Group: "docker",
	}
	if runtime.GOOS == "freebsd" {
		c.StateDir = "/var/db/xc"
	}
	return c
}

// DefaultFile is where the configuration is looked for when none is named.
const DefaultFile = "/usr/local/etc/xc.conf"

// LoadFile reads a configuration file (JSON) over c. A file that is not there is an error only if it was named. Keys that
// nobody knows are an error that names them.
func LoadFile(c *Config, path string, named bool) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := decode(c, f); err != nil {
		return &engine.Error{Op: "configure", Kind: engine.Invalid, Err: fmt.Errorf("%s: %w", path, err)}
	}
	return nil
}

func decode(c *Config, r io.Reader) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more than one JSON value")
	}
	if len(c.Networks) > 0 {
		return errors.New(`"networks" must be empty: networks are made with "xc network create" or "docker network create"`)
	}
	return nil
}

// warnings are sentences about the configuration that the administrator should know.
func (c *Config) warnings() []string {
	if c.InsecureTCP && !c.TLSVerify {
		return []string{"WARNING: TCP is served without TLS (insecure_tcp): every user of this host can become root by it"}
	}
	return nil
}

// complete fills the paths that follow from the state directory and checks what can be checked without touching anything.
func (c *Config) complete() error {
	if !filepath.IsAbs(c.StateDir) {
		return &engine.Error{Op: "configure", Kind: engine.Invalid, Err: fmt.Errorf("state directory %q: not an absolute path", c.StateDir)}
	}
	for _, p := range []struct {
		path *string
		name string
	}{
		{&c.LayersDir, "blobs"}, {&c.DatabaseStore, "xc.db"}, {&c.Registries, "registries.json"},
	} {
		if *p.path == "" {
			*p.path = filepath.Join(c.StateDir, p.name)
		}
		if !filepath.IsAbs(*p.path) {
			return &engine.Error{Op: "configure", Kind: engine.Invalid, Err: fmt.Errorf("%q: not an absolute path", *p.path)}
		}
	}
	return c.completeProxies()
}

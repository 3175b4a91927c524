package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine/internal/runner"
)

// Asker asks sockets who answers on them. The caller brings it: this room speaks no HTTP.
type Asker interface {
	// Native asks xcd's own socket for its version and warnings.
	Native(ctx context.Context, socket string) (server string, warnings []string, err error)
	// Docker asks a Docker socket who serves it.
	Docker(ctx context.Context, socket string) (server string, err error)
}

// Source is where facts come from. Tests bring their own; New has this host's.
type Source struct {
	Run      runner.Runner
	ReadFile func(path string) ([]byte, error)
	// Exists reports whether a path is there, and for a directory whether anything is in it.
	Exists func(path string) bool
	Look   func(program string) (string, error)
	Disk   func(path string) (free, total uint64, err error)
	Filter func() bool // Linux: nftables answers
	Ask    Asker
	Root   bool
	Socket string // of the daemon; empty: what its configuration says
}

// Host is this host as a source.
func Host(ask Asker) Source {
	return Source{
		Run: runner.Host{}, ReadFile: os.ReadFile, Exists: exists, Look: look, Disk: disk, Filter: packetFilter, Ask: ask, Root: os.Geteuid() == 0,
	}
}

func exists(path string) bool {
	entries, err := os.ReadDir(path)
	if err == nil {
		return len(entries) > 0
	}
	_, err = os.Lstat(path)
	return err == nil
}

// look finds a program in PATH, beside this one, or where packages put them: services have a short PATH.
func look(program string) (string, error) {
	path, err := exec.LookPath(program)
	dirs := []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/sbin"}
	if self, selfErr := os.Executable(); selfErr == nil {
		dirs = append(dirs, filepath.Dir(self))
	}
	for _, dir := range dirs {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, program))
		}
	}
	return path, err
}

// Defaults are what the daemon takes where its configuration says nothing.
type Defaults struct {
	ConfigFile, StateDir string
}

// DefaultConfig is the configuration's usual place.
const DefaultConfig = "/usr/local/etc/xc.conf"

const (
	defaultSocket = "/var/run/xc.sock"
	dockerSocket  = "/var/run/docker.sock"
	defaultGroup  = "docker"
)

// tools are the programs that are looked for.
var tools = []string{"docker", "xcd", "xc-shim", "crun", "runc", "modprobe"}

// gather finds what every system has.
func (s Source) gather(ctx context.Context, d Defaults) Facts {
	f := Facts{Root: s.Root, Config: s.config(d), Tools: map[string]string{}}
	for _, name := range append(slices.Clone(tools), f.Config.Runtime) {
		if path, err := s.Look(name); err == nil && name != "" {
			f.Tools[name] = path
		}
	}
	f.Users = s.group(f.Config.Group)
	f.State = s.disk(f.Config.StateDir)
	if s.Socket != "" {
		f.Config.SocketPath = s.Socket
	}
	f.Native = Peer{Path: f.Config.SocketPath, Exists: s.Exists(f.Config.SocketPath)}
	f.Docker = Peer{Path: f.Config.DockerSocket, Exists: s.Exists(f.Config.DockerSocket)}
	var err error
	if f.Native.Exists {
		f.Native.Server, f.Native.Warnings, err = s.Ask.Native(ctx, f.Native.Path)
		f.Native.Error = text(err)
	}
	if f.Docker.Exists {
		f.Docker.Server, err = s.Ask.Docker(ctx, f.Docker.Path)
		f.Docker.Error = text(err)
	}
	return f
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// config reads the daemon's configuration as far as it matters here; the daemon itself is stricter.
func (s Source) config(d Defaults) Config {
	c := Config{File: s.file(d.ConfigFile), StateDir: d.StateDir, SocketPath: defaultSocket, DockerSocket: dockerSocket, Group: defaultGroup}
	if !c.File.Exists {
		return c
	}
	var v struct {
		StateDir         *string                    `json:"state_dir"`
		SocketPath       *string                    `json:"socket_path"`
		Hosts            []string                   `json:"hosts"`
		Group            *string                    `json:"group"`
		StorageDriver    string                     `json:"storage_driver"`
		Runtime          string                     `json:"runtime"`
		ImageDataset     string                     `json:"image_dataset"`
		ContainerDataset string                     `json:"container_dataset"`
		Networks         map[string]json.RawMessage `json:"networks"`
	}
	if err := json.Unmarshal([]byte(c.File.Text), &v); err != nil {
		c.Problem = err.Error()
		return c
	}
	if len(v.Networks) > 0 {
		c.Problem = `"networks" must be empty: networks are made with "xc network create" or "docker network create"`
	}
	for _, p := range []struct{ to, from *string }{{&c.StateDir, v.StateDir}, {&c.SocketPath, v.SocketPath}, {&c.Group, v.Group}} {
		if p.from != nil && *p.from != "" {
			*p.to = *p.from
		}
	}
	for _, h := range v.Hosts {
		if path, ok := strings.CutPrefix(h, "unix://"); ok {
			c.DockerSocket = path
			break
		}
	}
	c.StorageDriver, c.Runtime, c.ImageDataset, c.ContainerDataset = v.StorageDriver, v.Runtime, v.ImageDataset, v.ContainerDataset
	if c.ContainerDataset == "" {
		c.ContainerDataset = c.ImageDataset
	}
	return c
}

func (s Source) file(path string) File {
	b, err := s.ReadFile(path)
	return File{Path: path, Exists: !errors.Is(err, fs.ErrNotExist), Text: string(b)}
}

// group reads group(5).
func (s Source) group(name string) Group {
	g := Group{Name: name}
	b, err := s.ReadFile("/etc/group")
	if err != nil {
		return g
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 || f[0] != name {
			continue
		}
		g.Exists = true
		g.Members = slices.DeleteFunc(strings.Split(f[3], ","), func(m string) bool { return m == "" })
	}
	return g
}

// disk measures the nearest directory that is there.
func (s Source) disk(path string) Disk {
	for dir := path; ; dir = filepath.Dir(dir) {
		free, total, err := s.Disk(dir)
		if err == nil {
			return Disk{Path: path, Free: free, Total: total}
		}
		if dir == filepath.Dir(dir) {
			return Disk{Path: path}
		}
	}
}

// output runs a tool; what a tool that failed wrote before counts too.
func (s Source) output(ctx context.Context, argv ...string) string {
	res, _ := s.Run.Run(ctx, runner.Cmd{Argv: argv, Env: []string{"LC_ALL=C", "PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"}})
	return res.Stdout
}

package overlay

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
)

// common are the options of every mount.
var common = []string{"index=off", "metacopy=off", "redirect_dir=off"}

const (
	// maxOptions is what mount(2) takes: a page, with the NUL at its end.
	maxOptions = 4095
	// maxString is what fsconfig(2) takes as a string, with the NUL at its end.
	maxString = 255
	// maxLayers is overlayfs' own limit: OVL_MAX_STACK.
	maxLayers = 500
)

// paths are where things stand below the driver's directory.
type paths struct{ dir string }

func (p paths) layers() string { return filepath.Join(p.dir, "layers") }
func (p paths) roots() string  { return filepath.Join(p.dir, "roots") }
func (p paths) stage() string  { return filepath.Join(p.dir, "stage") }

func (p paths) layer(id engine.LayerID) string {
	return filepath.Join(p.layers(), strings.Replace(string(id), ":", "-", 1))
}

func (p paths) root(id engine.ContainerID) root {
	return root{filepath.Join(p.roots(), string(id))}
}

// root is one root's directories.
type root struct{ dir string }

func (r root) upper() string  { return filepath.Join(r.dir, "upper") }
func (r root) work() string   { return filepath.Join(r.dir, "work") }
func (r root) merged() string { return filepath.Join(r.dir, "merged") }

// empty is a layer without files, for a root upon nothing: overlayfs wants one.
func (p paths) empty() string { return filepath.Join(p.dir, "empty") }

// lowers lists the directories that a chain's root is mounted upon, topmost first.
func (p paths) lowers(c layers.Chain) []string {
	if len(c) == 0 {
		return []string{p.empty()}
	}
	dirs := make([]string, len(c))
	for i, id := range c {
		dirs[i] = p.layer(id)
	}
	return dirs
}

// mountOptions renders the data of mount(2). The paths are escaped as overlayfs reads them: Documentation/filesystems/
// overlayfs.rst, "Multiple lower layers".
func mountOptions(lowers []string, upper, work string) string {
	escaped := make([]string, len(lowers))
	for i, l := range lowers {
		escaped[i] = escape(l, `\:,`)
	}
	opts := append([]string{
		"lowerdir=" + strings.Join(escaped, ":"), "upperdir=" + escape(upper, `\,`), "workdir=" + escape(work, `\,`),
	}, common...)
	return strings.Join(opts, ",")
}

func escape(path, special string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if strings.IndexByte(special, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// procName is a short path of an open file.
func procName(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

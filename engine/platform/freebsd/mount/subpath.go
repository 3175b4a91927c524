package mount

import (
	"io/fs"
	"os"

	"github.com/xcengine/xc/engine/internal/subpath"
)

// StatSubpath looks at what a volume has at a subpath. A link that leads out of the volume is an error.
func StatSubpath(w Wanted) (fs.FileInfo, error) {
	root, err := os.OpenRoot(w.Source)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(w.Subpath)
	return info, subpath.Error(w.Source, w.Subpath, err)
}

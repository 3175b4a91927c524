package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// openAll opens what a wish names of the host, as far as this user may: for whoever is not root that shows the daemon that it can be
// had. What cannot be opened is left to the daemon to refuse, which knows the user's rights. Whoever calls it closes them.
func openAll(c wire.ContainerCreate) (all []*os.File) {
	add := func(source string, write bool) {
		if f, err := openFor(source, write); err == nil {
			all = append(all, f)
		}
	}
	for _, m := range c.Mounts {
		if filepath.IsAbs(m.Source) {
			add(m.Source, !m.ReadOnly)
		}
	}
	wishes, _ := engine.ReadKeys(c.Labels, c.Annotations) // mistakes are the daemon's to tell
	for _, v := range wishes.Volumes {
		if source, option, _ := strings.Cut(v, ":"); filepath.IsAbs(source) {
			add(source, option != "ro")
		}
	}
	for _, f := range wishes.Copies {
		add(f.Source, false)
	}
	for _, l := range wishes.ExtraLayers {
		if filepath.IsAbs(l) {
			add(l, false)
		}
	}
	return all
}

// openFor opens a file or a directory. Root need not show anything.
func openFor(source string, write bool) (*os.File, error) {
	if os.Geteuid() == 0 {
		return nil, os.ErrInvalid
	}
	fi, err := os.Stat(source)
	switch {
	case err != nil:
		return nil, err
	case fi.IsDir():
		return os.Open(source)
	case !fi.Mode().IsRegular(): // opening a pipe would wait
		return nil, os.ErrInvalid
	case write:
		return os.OpenFile(source, os.O_RDWR, 0)
	}
	return os.Open(source)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

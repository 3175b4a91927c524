package nativeapi

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fdpass"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// connectionKey is the key of a request's connection in its context.
type connectionKey struct{}

// opened gives the files that the caller passed with the request by the paths that it names for them, in their order.
func (c *call) opened(paths []string) (map[string]*os.File, error) {
	var files []*os.File
	if conn, ok := c.Context().Value(connectionKey{}).(*fdpass.Conn); ok {
		files = conn.Files()
	}
	if len(files) != len(paths) {
		return nil, invalid(fmt.Errorf("the request names %d opened files, and %d came with it", len(paths), len(files)))
	}
	all := map[string]*os.File{}
	for i, p := range paths {
		all[path.Clean(p)] = files[i]
	}
	return all, nil
}

// mayGive tells whether a caller may give a path of the host to a container. With GrantPath every one; otherwise one that the
// policy lists, that the caller has opened, and that nobody but root can make another file of later: it is the path that is mounted, at
// every start. To be written to, it must be the caller's, on a file system on which what root of a container leaves there gives
// nobody rights.
func (s *Server) mayGive(p peer, source string, write bool, opened map[string]*os.File) error {
	if p.rights.has(Grant(engine.PrivilegePath)) {
		return nil
	}
	if path.Clean(source) != source {
		return fmt.Errorf("%s: write it as %s", source, path.Clean(source))
	}
	if !matches(p.rights.Paths, source) {
		return fmt.Errorf(`a path of the host (%s) needs the right %q, or to be among the "paths" of user %d`, source, engine.PrivilegePath, p.uid)
	}
	f := opened[source]
	if f == nil {
		return fmt.Errorf("user %d has not shown that %s can be opened", p.uid, source)
	}
	is, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(source)
	if err != nil {
		return err
	}
	if !os.SameFile(is, named) || !is.Mode().IsRegular() && !is.IsDir() {
		return fmt.Errorf("%s is not the file or directory that user %d has opened", source, p.uid)
	}
	if err := settled(source); err != nil {
		return err
	}
	if write {
		return s.mayWrite(p, source, f, is)
	}
	return nil
}

// settled refuses a path that others than root can make lead elsewhere.
func settled(source string) error {
	if real, err := filepath.EvalSymlinks(source); err != nil || real != source {
		return fmt.Errorf("%s: there must be no symbolic link in it", source)
	}
	for dir := path.Dir(source); ; dir = path.Dir(dir) {
		fi, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 || fi.Mode().Perm()&0o022 != 0 {
			return fmt.Errorf("%s: others than root can replace it, as they may write in %s", source, dir)
		}
		if dir == "/" {
			return nil
		}
	}
}

// mayWrite tells whether a container of the caller may write to what the caller has opened.
func (s *Server) mayWrite(p peer, source string, f *os.File, is os.FileInfo) error {
	st, ok := is.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) != p.uid {
		return fmt.Errorf("%s is not of user %d, who may have it read-only: %s:TARGET:ro", source, p.uid, source)
	}
	inert, err := s.cfg.Inert(f)
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	if !inert {
		return fmt.Errorf("%s is on a file system without nosuid (on Linux: and nodev), so that it may be had read-only alone: %[1]s:TARGET:ro", source)
	}
	return nil
}

// mayFill tells which files of the host may not be put into a caller's new container. One that the caller has opened for reading may: it
// is read from that descriptor, whatever its name leads to by then. What cannot be understood is refused later, by the engine.
func (p peer) mayFill(b wire.ContainerCreate, opened map[string]*os.File) (errs []error) {
	wishes, _ := engine.ReadKeys(b.Labels, b.Annotations)
	var sources []string
	for _, f := range wishes.Copies {
		sources = append(sources, f.Source)
	}
	for _, l := range wishes.ExtraLayers {
		if path.IsAbs(l) {
			sources = append(sources, path.Clean(l))
		}
	}
	for _, source := range sources {
		if opened[source] == nil && !p.rights.has(Grant(engine.PrivilegePath)) {
			errs = append(errs, fmt.Errorf("a file of the host (%s) needs the right %q, or to be passed opened", source, engine.PrivilegePath))
		}
	}
	return errs
}

package layer

import (
	"archive/tar"
	"cmp"
	"errors"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// headerXattrs returns the attributes that a tar entry carries and this system can keep.
func headerXattrs(hdr *tar.Header) map[string]string {
	var all map[string]string
	for record, v := range hdr.PAXRecords {
		key, ok := strings.CutPrefix(record, paxXattr)
		if !ok || !usableXattr(key) {
			continue
		}
		if all == nil {
			all = map[string]string{}
		}
		all[key] = v
	}
	return all
}

// setXattr reports false where the file system, or the kind of file, has no such attribute.
func setXattr(fd int, key, value string) (bool, error) {
	return tolerate(retry(func() error { return unix.Fsetxattr(fd, key, []byte(value), 0) }))
}

// setXattrAt is setXattr for what cannot be opened: links, devices, pipes.
func setXattrAt(dir int, name, key, value string) (bool, error) {
	path, ok := xattrPath(dir, name)
	if !ok {
		return false, nil
	}
	return tolerate(retry(func() error { return unix.Lsetxattr(path, key, []byte(value), 0) }))
}

func tolerate(err error) (bool, error) {
	for _, known := range []error{unix.ENOTSUP, unix.EPERM, unix.EINVAL, unix.E2BIG, unix.ERANGE} {
		if errors.Is(err, known) {
			return false, nil
		}
	}
	return err == nil, err
}

// xattrCalls reads attributes either of a path or of a descriptor.
type xattrCalls struct {
	list func(dest []byte) (int, error)
	get  func(key string, dest []byte) (int, error)
}

// Xattrs reads the attributes that a layer carries of a file; a link is not followed.
func Xattrs(path string) (map[string]string, error) {
	dir, base := filepath.Split(filepath.Clean(path))
	fd, err := openAt(unix.AT_FDCWD, cmp.Or(dir, "."), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, at("open", dir, err)
	}
	defer unix.Close(fd)
	if base == "" {
		base = "."
	}
	st, err := statAt(fd, base)
	if err != nil {
		return nil, at("stat", path, err)
	}
	return xattrsAt(fd, base, &st)
}

// xattrsAt reads the attributes that a layer carries. st is what statAt said of the file.
func xattrsAt(dir int, name string, st *info) (map[string]string, error) {
	if path, ok := xattrPath(dir, name); ok {
		return readXattrs(name, pathXattrs(path))
	}
	if kind := st.kind(); kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return nil, nil
	}
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, at("open", name, err)
	}
	defer unix.Close(fd)
	return xattrsOf(fd)
}

// xattrsOf is xattrsAt for an open file.
func xattrsOf(fd int) (map[string]string, error) { return readXattrs("", fdXattrs(fd)) }

const maxXattr = 64 << 10 // what Linux allows for the list and for a value: xattr(7)

func readXattrs(name string, calls xattrCalls) (map[string]string, error) {
	var few [1024]byte
	list := few[:]
	n, err := calls.list(list)
	if errors.Is(err, unix.ERANGE) || n == len(list) {
		list = make([]byte, maxXattr)
		n, err = calls.list(list)
	}
	if errors.Is(err, unix.ENOTSUP) || n == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, at("listxattr", name, err)
	}
	var all map[string]string
	for _, key := range xattrNames(list[:n]) {
		if !usableXattr(key) || strings.Contains(key, "=") { // a pax record cannot name such a key
			continue
		}
		value := make([]byte, maxXattr)
		n, err := calls.get(key, value)
		if errors.Is(err, errNoAttr) || errors.Is(err, unix.ENOTSUP) {
			continue
		}
		if err != nil {
			return nil, at("getxattr "+key, name, err)
		}
		if all == nil {
			all = map[string]string{}
		}
		all[key] = string(value[:n])
	}
	return all, nil
}

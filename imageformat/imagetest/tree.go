package imagetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/imageformat/layer"
)

// Want selects what Tree says of files beyond type, mode and content.
type Want uint

// What Tree can say.
const (
	Owners Want = 1 << iota
	Times       // of modification, to the nanosecond
	Xattrs
	All = Owners | Times | Xattrs
)

// Tree describes every file below root, by its path relative to it, "." for root itself. Files of one inode name the first
// of them. Two trees are equal when their descriptions are.
func Tree(root string, want Want) (map[string]string, error) {
	tree := map[string]string{}
	first := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		tree[rel], err = describe(path, rel, want, first)
		return err
	})
	return tree, err
}

func describe(path, rel string, want Want, first map[uint64]string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	what, err := content(path, &st)
	if err != nil {
		return "", err
	}
	mode := uint32(st.Mode) & 0o7777
	if uint32(st.Mode)&unix.S_IFMT == unix.S_IFLNK {
		mode = 0o777 // a link's own mode means nothing, and the systems differ in it
	}
	parts := []string{what, fmt.Sprintf("%04o", mode)}
	if want&Owners != 0 {
		parts = append(parts, fmt.Sprintf("%d:%d", st.Uid, st.Gid))
	}
	if want&Times != 0 {
		parts = append(parts, fmt.Sprintf("%d.%09d", st.Mtim.Sec, st.Mtim.Nsec))
	}
	if want&Xattrs != 0 {
		attrs, err := xattrs(path)
		if err != nil {
			return "", err
		}
		parts = append(parts, attrs...)
	}
	if uint32(st.Mode)&unix.S_IFMT != unix.S_IFDIR && st.Nlink > 1 {
		if name, ok := first[st.Ino]; ok {
			parts = append(parts, "= "+name)
		} else {
			first[st.Ino] = rel
		}
	}
	return strings.Join(parts, " "), nil
}

func content(path string, st *unix.Stat_t) (string, error) {
	switch uint32(st.Mode) & unix.S_IFMT {
	case unix.S_IFDIR:
		return "dir", nil
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		return "link -> " + target, err
	case unix.S_IFREG:
		b, err := os.ReadFile(path)
		if len(b) <= 32 {
			return fmt.Sprintf("file %q", b), err
		}
		sum := sha256.Sum256(b)
		return fmt.Sprintf("file %d bytes %s", len(b), hex.EncodeToString(sum[:6])), err
	case unix.S_IFIFO:
		return "fifo", nil
	case unix.S_IFCHR:
		major, minor := layer.DeviceNumbers(uint64(st.Rdev))
		return fmt.Sprintf("char %d/%d", major, minor), nil
	case unix.S_IFBLK:
		major, minor := layer.DeviceNumbers(uint64(st.Rdev))
		return fmt.Sprintf("block %d/%d", major, minor), nil
	}
	return "other", nil
}

func xattrs(path string) ([]string, error) {
	attrs, err := layer.Xattrs(path)
	var all []string
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		all = append(all, fmt.Sprintf("%s=%q", key, attrs[key]))
	}
	return all, err
}

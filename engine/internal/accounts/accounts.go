// Package accounts looks users and groups up in the files of a container's root.
package accounts

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine/internal/fstree"
)

// Owner is whom files belong to.
type Owner struct{ UID, GID int }

// maxAccounts bounds how much of a container's passwd or group file is read.
const maxAccounts = 4 << 20

// Lookup resolves "user[:group]" as a container's own files tell. As for a container's process, a number needs no
// entry, and an empty half is root.
func Lookup(tree *fstree.Tree, spec string) (*Owner, error) {
	user, group, _ := strings.Cut(spec, ":")
	var o Owner
	if user != "" {
		uid, isID := id(user)
		entry, err := account(tree, "/etc/passwd", func(f []string) bool {
			return isID && f[2] == strconv.Itoa(uid) || !isID && f[0] == user
		})
		switch {
		case err == nil:
			o.UID, o.GID = number(entry[2]), number(entry[3])
		case isID:
			o.UID = uid
		default:
			return nil, fmt.Errorf("failed to look up user %q in container: %w", user, err)
		}
	}
	if group != "" {
		gid, isID := id(group)
		if !isID {
			entry, err := account(tree, "/etc/group", func(f []string) bool { return f[0] == group })
			if err != nil {
				return nil, fmt.Errorf("failed to look up group %q in container: %w", group, err)
			}
			gid = number(entry[2])
		}
		o.GID = gid
	}
	return &o, nil
}

func id(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err == nil && n <= math.MaxInt32
}

func number(s string) int {
	n, _ := id(s)
	return n
}

// account returns the fields of the first matching line of passwd(5) or group(5).
func account(tree *fstree.Tree, file string, match func(fields []string) bool) ([]string, error) {
	p, err := tree.Find(file, true)
	if err != nil {
		return nil, fmt.Errorf("open %s: no such file or directory", file)
	}
	defer p.Close()
	f, err := p.Dir.Open(p.Name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxAccounts))
	for lines.Scan() {
		if fields := strings.Split(lines.Text(), ":"); len(fields) >= 4 && match(fields) {
			return fields, nil
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("no matching entries in %s file", strings.TrimPrefix(file, "/etc/"))
}

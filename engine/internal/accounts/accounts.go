// Package accounts looks users and groups up in the files of a container's root: never in the host's.
package accounts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// maxSize bounds the size in bytes of a passwd or group file that is read.
const maxSize = 16 << 20

// Files are a root's passwd(5) and group(5) files; nil for one that is not there.
type Files struct{ Passwd, Group []byte }

// Read reads the files. The opener is given an absolute path of the root and must neither leave the root nor wait: what lies
// there is an image's doing. Something else than a regular file counts as none, a file over 16 MiB is an error.
func Read(open func(name string) (*os.File, error)) (f Files, err error) {
	if f.Passwd, err = read(open, "/etc/passwd"); err != nil {
		return Files{}, err
	}
	f.Group, err = read(open, "/etc/group")
	return f, err
}

func read(open func(string) (*os.File, error), name string) ([]byte, error) {
	f, err := open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(b) > maxSize {
		err = &os.PathError{Op: "read", Path: name, Err: unix.EFBIG}
	}
	return b, err
}

// reader is nil for an absent file: the lookup then takes numbers only, and does not complain of an empty one.
func reader(b []byte) io.Reader {
	if b == nil {
		return nil
	}
	return bytes.NewReader(b)
}

// Identity is who a process runs as.
type Identity struct {
	UID, GID int
	Groups   []int  // the first is GID, then come the user's own, then those asked for, each of which once
	Home     string // "/" for a user without an entry
	Login    string // name of the user's entry; empty without one
}

// Identify finds "user[:group]" and supplementary groups, names or numbers, as dockerd does.
func (f Files) Identify(who string, groups []string) (Identity, error) {
	found, err := user.GetExecUser(who, &user.ExecUser{Home: "/"}, reader(f.Passwd), reader(f.Group))
	if err != nil {
		return Identity{}, unknown(who, err)
	}
	id := Identity{UID: found.Uid, GID: found.Gid, Home: found.Home, Groups: append([]int{found.Gid}, found.Sgids...)}
	have := map[int]bool{}
	for _, g := range id.Groups {
		have[g] = true
	}
	for _, name := range groups {
		more, err := user.GetAdditionalGroups([]string{name}, reader(f.Group))
		if err != nil {
			return Identity{}, unknown(":"+name, err)
		}
		for _, g := range more {
			if !have[g] {
				have[g] = true
				id.Groups = append(id.Groups, g)
			}
		}
	}
	entries, err := user.ParsePasswdFilter(bytes.NewReader(f.Passwd), func(u user.User) bool { return u.Uid == id.UID })
	if err == nil && len(entries) > 0 {
		id.Login = entries[0].Name
	}
	return id, nil
}

// unknown keeps the words of the lookup, which are dockerd's.
func unknown(who string, err error) error {
	e := &engine.Error{Op: "start", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: err}
	name, group, _ := strings.Cut(who, ":")
	switch {
	case errors.Is(err, user.ErrNoPasswdEntries):
		e.Reason, e.Args = engine.ReasonNoUser, []string{name}
	case errors.Is(err, user.ErrNoGroupEntries):
		e.Reason, e.Args = engine.ReasonNoUser, []string{group, "group"}
	}
	return e
}

// Owner is whom files belong to.
type Owner struct{ UID, GID int }

// Owner finds "user[:group]" for files that are copied into the root. A user without a group has the group of its entry; an
// empty half is root, and a number needs no entry.
func (f Files) Owner(spec string) (*Owner, error) {
	who, group, _ := strings.Cut(spec, ":")
	o := &Owner{}
	if who != "" {
		uid, isID := number(who)
		entries, err := user.ParsePasswdFilter(bytes.NewReader(f.Passwd), func(u user.User) bool {
			return isID && u.Uid == uid || !isID && u.Name == who
		})
		switch {
		case err != nil:
			return nil, err
		case len(entries) > 0:
			o.UID, o.GID = entries[0].Uid, entries[0].Gid
		case isID:
			o.UID = uid
		default:
			return nil, missing("user", who, "passwd", f.Passwd)
		}
	}
	if group == "" {
		return o, nil
	}
	gid, isID := number(group)
	if isID {
		o.GID = gid
		return o, nil
	}
	entries, err := user.ParseGroupFilter(bytes.NewReader(f.Group), func(g user.Group) bool { return g.Name == group })
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, missing("group", group, "group", f.Group)
	}
	o.GID = entries[0].Gid
	return o, nil
}

func missing(what, name, file string, content []byte) error {
	why := fmt.Sprintf("no matching entries in %s file", file)
	if content == nil {
		why = fmt.Sprintf("open /etc/%s: no such file or directory", file)
	}
	return fmt.Errorf("failed to look up %s %q in container: %s", what, name, why)
}

func number(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}

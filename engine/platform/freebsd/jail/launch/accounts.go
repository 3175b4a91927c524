package launch

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// maxAccounts bounds the size in bytes of a passwd or group file that is read.
const maxAccounts = 16 << 20

// accounts are a root's /etc/passwd and /etc/group; nil for one that is not there.
type accounts struct {
	passwd, group []byte
}

// readAccounts reads those of the root that this process is in.
func readAccounts() (a accounts, err error) {
	if a.passwd, err = readFile("/etc/passwd"); err != nil {
		return a, err
	}
	a.group, err = readFile("/etc/group")
	return a, err
}

// readFile returns a regular file's content, or nil where there is none. Nothing in a root makes it wait.
func readFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxAccounts+1))
	if err == nil && len(b) > maxAccounts {
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

// identity is who a process runs as.
type identity struct {
	uid, gid int
	groups   []int  // the first is gid
	home     string // "/" without an entry
	login    string // name of the entry, empty without one
}

// resolve finds "user[:group]" and supplementary groups, names or numbers, as dockerd does. The first of the groups is the
// group itself, then come the user's own, then those asked for.
func (a accounts) resolve(who string, groups []string) (identity, error) {
	found, err := user.GetExecUser(who, &user.ExecUser{Home: "/"}, reader(a.passwd), reader(a.group))
	if err != nil {
		return identity{}, unknown(who, err)
	}
	id := identity{uid: found.Uid, gid: found.Gid, groups: []int{found.Gid}, home: found.Home}
	for _, name := range groups {
		more, err := user.GetAdditionalGroups([]string{name}, reader(a.group))
		if err != nil {
			return identity{}, unknown(":"+name, err)
		}
		found.Sgids = append(found.Sgids, more...)
	}
	for _, g := range found.Sgids {
		if !slices.Contains(id.groups, g) {
			id.groups = append(id.groups, g)
		}
	}
	entries, err := user.ParsePasswdFilter(bytes.NewReader(a.passwd), func(u user.User) bool { return u.Uid == id.uid })
	if err == nil && len(entries) > 0 {
		id.login = entries[0].Name
	}
	return id, nil
}

// Known reports which user or group is not known in a root with these passwd and group files, nil for one that is not there.
func Known(passwd, group []byte, who string, groups []string) error {
	_, err := accounts{passwd, group}.resolve(who, groups)
	return err
}

// unknown keeps the words of the lookup, which are dockerd's.
func unknown(who string, err error) error {
	e := &engine.Error{Op: "start", Kind: engine.Invalid, Err: err}
	name, group, _ := strings.Cut(who, ":")
	switch {
	case errors.Is(err, user.ErrNoPasswdEntries):
		e.Reason, e.Args = engine.ReasonNoUser, []string{name}
	case errors.Is(err, user.ErrNoGroupEntries):
		e.Reason, e.Args = engine.ReasonNoUser, []string{group, "group"}
	}
	return e
}

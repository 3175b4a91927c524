package oci

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/moby/sys/user"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
)

// accounts are a root's /etc/passwd and /etc/group; nil for one that is not there.
type accounts struct {
	passwd, group []byte
}

// reader is nil for an absent file: the lookup then takes numbers only, and does not complain of an empty one.
func reader(b []byte) io.Reader {
	if b == nil {
		return nil
	}
	return bytes.NewReader(b)
}

// resolve finds "user[:group]" and supplementary groups, names or numbers, as dockerd does, and the user's home, "/" for one
// without an entry. The first of the supplementary groups is the group itself, then come the user's own, then those asked for.
func (a accounts) resolve(who string, groups []string) (u specs.User, home string, err error) {
	found, err := user.GetExecUser(who, &user.ExecUser{Home: "/"}, reader(a.passwd), reader(a.group))
	if err != nil {
		return specs.User{}, "", unknownUser(who, err)
	}
	u = specs.User{UID: uint32(found.Uid), GID: uint32(found.Gid), AdditionalGids: []uint32{uint32(found.Gid)}}
	for _, g := range found.Sgids {
		u.AdditionalGids = append(u.AdditionalGids, uint32(g))
	}
	for _, name := range groups {
		more, err := user.GetAdditionalGroups([]string{name}, reader(a.group))
		if err != nil {
			return specs.User{}, "", unknownUser(":"+name, err)
		}
		for _, g := range more {
			if gid := uint32(g); !slices.Contains(u.AdditionalGids, gid) {
				u.AdditionalGids = append(u.AdditionalGids, gid)
			}
		}
	}
	return u, found.Home, nil
}

// unknownUser keeps the words of the lookup, which are dockerd's.
func unknownUser(who string, err error) error {
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

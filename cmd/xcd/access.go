package main

import (
	"fmt"
	"os/user"
	"path"
	"slices"
	"strconv"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/daemon"
	"github.com/xcengine/xc/engine/nativeapi"
)

// accessPolicy makes a policy of the configuration's rules. A right, pattern, user or group that is none is an error: a rule that
// says something else than its author means must not come into force.
func accessPolicy(rules []daemon.AccessRule) (nativeapi.Policy, error) {
	var all []accessRule
	for i, r := range rules {
		rule, err := readAccess(r)
		if err != nil {
			return nil, &engine.Error{Op: "configure", Kind: engine.Invalid, Err: fmt.Errorf("access, rule %d: %w", i+1, err)}
		}
		all = append(all, rule)
	}
	return func(uid int) (nativeapi.Rights, bool) {
		var rights nativeapi.Rights
		known := false
		for _, r := range all {
			if r.holdsFor(uid) {
				known = true
				rights.Grants = append(rights.Grants, r.rights.Grants...)
				rights.Volumes = append(rights.Volumes, r.rights.Volumes...)
				rights.Networks = append(rights.Networks, r.rights.Networks...)
				rights.Paths = append(rights.Paths, r.rights.Paths...)
			}
		}
		return rights, known
	}, nil
}

type accessRule struct {
	uids   []int
	gids   []string
	rights nativeapi.Rights
}

func readAccess(r daemon.AccessRule) (out accessRule, err error) {
	if len(r.Users)+len(r.Groups) == 0 {
		return out, fmt.Errorf("it names neither users nor groups")
	}
	for _, name := range r.Users {
		uid, err := userID(name)
		if err != nil {
			return out, err
		}
		out.uids = append(out.uids, uid)
	}
	for _, name := range r.Groups {
		if _, err := strconv.ParseUint(name, 10, 31); err == nil {
			out.gids = append(out.gids, name)
			continue
		}
		g, err := user.LookupGroup(name)
		if err != nil {
			return out, err
		}
		out.gids = append(out.gids, g.Gid)
	}
	for _, right := range r.Rights {
		if !slices.Contains(nativeapi.Grants(), nativeapi.Grant(right)) {
			return out, fmt.Errorf("there is no right %q; there are %v", right, nativeapi.Grants())
		}
		out.rights.Grants = append(out.rights.Grants, nativeapi.Grant(right))
	}
	for _, p := range slices.Concat(r.Volumes, r.Networks, r.Paths) {
		if _, err := path.Match(p, ""); err != nil {
			return out, fmt.Errorf("pattern %q: %w", p, err)
		}
	}
	for _, p := range r.Paths {
		if !path.IsAbs(p) || path.Clean(p) != p {
			return out, fmt.Errorf("path %q: must be absolute, and as short as it can be written", p)
		}
	}
	out.rights.Volumes, out.rights.Networks, out.rights.Paths = r.Volumes, r.Networks, r.Paths
	return out, nil
}

func userID(name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

// holdsFor looks the user's groups up each time: whoever was taken out of one loses its rights at once.
func (r accessRule) holdsFor(uid int) bool {
	if slices.Contains(r.uids, uid) {
		return true
	}
	if len(r.gids) == 0 {
		return false
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return false
	}
	groups, err := u.GroupIds()
	return err == nil && slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(r.gids, g) })
}

package devfs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Rule is one rule of a ruleset. A path is relative to /dev and may hold the wildcards of fnmatch(3).
type Rule struct {
	Include int    // number of a ruleset to take over; the other members are then unused
	Path    string // "bpf*", "dtrace/helper"
	Hide    bool
	Mode    uint32 // permission bits; 0 leaves them
	User    string // name or number; empty leaves it
	Group   string
}

// Rulesets of /etc/defaults/devfs.rules that every container begins with.
const (
	hideAll = 1 // devfsrules_hide_all
	basic   = 2 // devfsrules_unhide_basic: null, zero, random …
	login   = 3 // devfsrules_unhide_login: ptys, fd, std*
)

// Base are the rules of an ordinary container: the basic nodes, terminals, and shm for Linux programs.
func Base() []Rule {
	return []Rule{
		{Include: hideAll},
		{Include: basic},
		{Include: login},
		{Path: "fd"},
		{Path: "fd/*"},
		{Path: "shm", Mode: 0o1777},
	}
}

// Privileged shows every node.
func Privileged() []Rule { return []Rule{{Path: "*"}} }

// validPath is what a node's name may be made of; '..' is refused apart from it.
var validPath = regexp.MustCompile(`^[A-Za-z0-9_.*?\[\]/+-]+$`)

var validOwner = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

func (r Rule) check() error {
	switch {
	case r.Include > 0:
		return nil
	case !validPath.MatchString(r.Path), strings.HasPrefix(r.Path, "/"), slices.Contains(strings.Split(r.Path, "/"), ".."):
		return fmt.Errorf("devfs rule: %q is not a path below /dev", r.Path)
	case r.Mode&^0o7777 != 0:
		return fmt.Errorf("devfs rule for %s: mode %o", r.Path, r.Mode)
	}
	for _, owner := range []string{r.User, r.Group} {
		if owner != "" && !validOwner.MatchString(owner) {
			return fmt.Errorf("devfs rule for %s: owner %q", r.Path, owner)
		}
	}
	return nil
}

// args gives the rule as devfs(8) takes it behind "rule".
func (r Rule) args() []string {
	if r.Include > 0 {
		return []string{"add", "include", strconv.Itoa(r.Include)}
	}
	a := []string{"add", "path", r.Path}
	if r.Hide {
		return append(a, "hide")
	}
	a = append(a, "unhide")
	if r.Mode != 0 {
		a = append(a, "mode", strconv.FormatUint(uint64(r.Mode), 8))
	}
	if r.User != "" {
		a = append(a, "user", r.User)
	}
	if r.Group != "" {
		a = append(a, "group", r.Group)
	}
	return a
}

// Parse reads a rule as labels and images write it: "path bpf* unhide mode 0660 group wheel", "bpf*", "include 4".
func Parse(s string) (Rule, error) {
	words := strings.Fields(s)
	if len(words) > 0 && words[0] == "add" {
		words = words[1:]
	}
	if len(words) == 2 && words[0] == "include" {
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 || n > 65535 {
			return Rule{}, fmt.Errorf("devfs rule %q: ruleset %q", s, words[1])
		}
		return Rule{Include: n}, nil
	}
	if len(words) > 0 && words[0] == "path" {
		words = words[1:]
	}
	if len(words) == 0 {
		return Rule{}, errors.New("an empty devfs rule")
	}
	r := Rule{Path: words[0]}
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "unhide":
			continue
		case "hide":
			r.Hide = true
			continue
		}
		if i+1 == len(words) {
			return Rule{}, fmt.Errorf("devfs rule %q: %q stands alone", s, words[i])
		}
		value := words[i+1]
		switch words[i] {
		case "mode":
			mode, err := strconv.ParseUint(value, 8, 32)
			if err != nil {
				return Rule{}, fmt.Errorf("devfs rule %q: mode %q", s, value)
			}
			r.Mode = uint32(mode)
		case "user":
			r.User = value
		case "group":
			r.Group = value
		default:
			return Rule{}, fmt.Errorf("devfs rule %q: %q is not known", s, words[i])
		}
		i++
	}
	return r, r.check()
}

// Hash names the content of rules, 64 hexadecimal digits.
func Hash(rules []Rule) (string, error) {
	h := sha256.New()
	for _, r := range rules {
		if err := r.check(); err != nil {
			return "", err
		}
		fmt.Fprintln(h, strings.Join(r.args(), " "))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Commands gives devfs(8)'s calls that define a ruleset, each an argument list behind "devfs".
func Commands(id int, rules []Rule) ([][]string, error) {
	set := strconv.Itoa(id)
	var all [][]string
	for _, r := range rules {
		if err := r.check(); err != nil {
			return nil, err
		}
		all = append(all, append([]string{"rule", "-s", set}, r.args()...))
	}
	return all, nil
}

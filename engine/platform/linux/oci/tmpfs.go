package oci

import (
	"fmt"
	"slices"
	"strings"
)

// tmpfsFlags gives each flag of a tmpfs mount the group in which only one can hold.
var tmpfsFlags = map[string]string{
	"ro": "ro", "rw": "ro", "suid": "suid", "nosuid": "suid", "dev": "dev", "nodev": "dev", "exec": "exec", "noexec": "exec",
	"sync": "sync", "async": "sync", "dirsync": "dirsync", "mand": "mand", "nomand": "mand",
	"atime": "atime", "noatime": "atime", "diratime": "diratime", "nodiratime": "diratime",
	"relatime": "relatime", "norelatime": "relatime", "strictatime": "strictatime", "nostrictatime": "strictatime",
	"private": "propagation", "rprivate": "propagation", "shared": "propagation", "rshared": "propagation",
	"slave": "propagation", "rslave": "propagation", "unbindable": "propagation", "runbindable": "propagation",
}

// tmpfsData are the options with a value (tmpfs(5)).
var tmpfsData = []string{"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"}

// tmpfsOptions puts a user's options over Docker's defaults: of several that exclude each other the last counts.
func tmpfsOptions(given []string) ([]string, error) {
	all := append([]string{"noexec", "nosuid", "nodev", "rprivate"}, given...)
	seen := map[string]bool{}
	var kept []string
	for _, opt := range slices.Backward(all) {
		if opt == "" || opt == "defaults" {
			continue
		}
		group, isFlag := tmpfsFlags[opt]
		if !isFlag {
			key, _, hasValue := strings.Cut(opt, "=")
			if !hasValue || !slices.Contains(tmpfsData, key) {
				return nil, fmt.Errorf("invalid tmpfs option [%q]", opt)
			}
			group = key
		}
		if !seen[group] {
			seen[group] = true
			kept = append(kept, opt)
		}
	}
	slices.Reverse(kept)
	return kept, nil
}

package volmount

import (
	"fmt"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/iov"
)

// request is one volume's mount: a list for nmount(2), or for NFS the arguments of mount_nfs(8).
type request struct {
	list iov.List
	nfs  []string
}

// linuxOnly are options of Linux that FreeBSD does anyway, or that mean nothing to it.
var linuxOnly = strings.Fields(`defaults bind rbind dev nodev exec suid relatime norelatime strictatime nostrictatime diratime nodiratime
	atime private rprivate slave rslave shared rshared unbindable runbindable mand nomand nolock lock hard tcp _netdev`)

// renamed are options that have another name in tmpfs(5).
var renamed = map[string]string{"nr_inodes": "inodes"}

// render translates a volume's options.
func render(fsType, device, options, target string) (request, error) {
	words := strings.Split(options, ",")
	bind := slices.Contains(words, "bind") || slices.Contains(words, "rbind")
	words = slices.DeleteFunc(words, func(o string) bool { return o == "" || slices.Contains(linuxOnly, o) })
	switch {
	case fsType == "nfs" || fsType == "nfs4":
		return request{nfs: nfsArgs(fsType, device, words, target)}, nil
	case fsType == "cifs" || fsType == "smb3":
		return request{}, refuse(target, "mount type "+fsType, "mount it on the host with mount_smbfs(8) and bind it")
	case fsType == "none" && !bind:
		return request{}, refuse(target, "mount type none", "without the option bind it says nothing")
	}
	l := iov.List{}
	switch {
	case bind || fsType == "nullfs":
		l = l.String("fstype", "nullfs").String("fspath", target).String("target", device)
	default:
		l = l.String("fstype", fsType).String("fspath", target).String("from", device)
	}
	for _, o := range words {
		name, value, has := strings.Cut(o, "=")
		if to, ok := renamed[name]; ok {
			name = to
		}
		if has {
			l = l.String(name, value)
		} else {
			l = l.Flag(name)
		}
	}
	return request{list: l}, nil
}

func refuse(target, what, why string) error {
	return &engine.Error{
		Op: "mount", Kind: engine.NotImplemented, Resource: engine.ResourceVolume, ID: target, Reason: engine.ReasonUnsupported, Args: []string{what, why},
	}
}

// nfsArgs puts server and path together, which Linux wants apart, and names the version as mount_nfs(8) does.
func nfsArgs(fsType, device string, words []string, target string) []string {
	var opts []string
	if fsType == "nfs4" {
		opts = append(opts, "nfsv4")
	}
	for _, o := range words {
		name, value, _ := strings.Cut(o, "=")
		switch name {
		case "addr":
			if strings.HasPrefix(device, ":") {
				device = server(value) + device
			}
		case "vers", "nfsvers":
			major, minor, _ := strings.Cut(value, ".")
			opts = append(opts, "nfsv"+major)
			if minor != "" {
				opts = append(opts, "minorversion="+minor)
			}
		case "timeo":
			opts = append(opts, "timeout="+value)
		default:
			opts = append(opts, o)
		}
	}
	// mount_nfs(8) would otherwise try for ever.
	opts = append(opts, "retrycnt=1")
	return []string{"-o", strings.Join(opts, ","), device, target}
}

// server writes an address as mount_nfs(8) reads it: one of IPv6 in brackets.
func server(addr string) string {
	if strings.Contains(addr, ":") {
		return fmt.Sprintf("[%s]", addr)
	}
	return addr
}

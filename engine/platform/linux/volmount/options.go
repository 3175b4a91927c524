package volmount

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// The flags of mount(2), from include/uapi/linux/mount.h.
const (
	msRdonly      = 0x1
	msNosuid      = 0x2
	msNodev       = 0x4
	msNoexec      = 0x8
	msSync        = 0x10
	msRemount     = 0x20
	msMand        = 0x40
	msDirsync     = 0x80
	msNoatime     = 0x400
	msNodiratime  = 0x800
	msBind        = 0x1000
	msRec         = 0x4000
	msUnbindable  = 0x20000
	msPrivate     = 0x40000
	msSlave       = 0x80000
	msShared      = 0x100000
	msRelatime    = 0x200000
	msStrictatime = 0x1000000

	propagation = msUnbindable | msPrivate | msSlave | msShared
)

// words are the options that are flags, as mount(8) writes them.
var words = map[string]struct {
	set, clear uintptr
}{
	"defaults": {}, "ro": {set: msRdonly}, "rw": {clear: msRdonly}, "suid": {clear: msNosuid}, "nosuid": {set: msNosuid},
	"dev": {clear: msNodev}, "nodev": {set: msNodev}, "exec": {clear: msNoexec}, "noexec": {set: msNoexec}, "sync": {set: msSync},
	"async": {clear: msSync}, "dirsync": {set: msDirsync}, "remount": {set: msRemount}, "mand": {set: msMand}, "nomand": {clear: msMand},
	"atime": {clear: msNoatime}, "noatime": {set: msNoatime}, "diratime": {clear: msNodiratime}, "nodiratime": {set: msNodiratime},
	"bind": {set: msBind}, "rbind": {set: msBind | msRec}, "unbindable": {set: msUnbindable}, "runbindable": {set: msUnbindable | msRec},
	"private": {set: msPrivate}, "rprivate": {set: msPrivate | msRec}, "slave": {set: msSlave}, "rslave": {set: msSlave | msRec},
	"shared": {set: msShared}, "rshared": {set: msShared | msRec}, "relatime": {set: msRelatime}, "norelatime": {clear: msRelatime},
	"strictatime": {set: msStrictatime}, "nostrictatime": {clear: msStrictatime},
}

// request is one volume's mount as the kernel takes it.
type request struct {
	fsType, device, target string
	flags                  uintptr
	data                   string
}

// resolver looks a host name up.
type resolver func(ctx context.Context, host string) (netip.Addr, error)

// parse turns options into flags and data, and names of file servers into addresses, as the kernel knows no names.
func parse(ctx context.Context, fsType, device, options, target string, resolve resolver) (request, error) {
	r := request{fsType: fsType, device: device, target: target}
	var data []string
	for _, o := range strings.Split(options, ",") {
		w, isFlag := words[o]
		switch {
		case isFlag:
			r.flags = r.flags&^w.clear | w.set
		case o != "":
			data = append(data, o)
		}
	}
	var err error
	if fsType == "nfs" || fsType == "cifs" || strings.HasPrefix(fsType, "nfs") {
		if data, r.device, err = resolveServer(ctx, fsType, data, device, resolve); err != nil {
			return request{}, fmt.Errorf("error resolving passed in network volume address: %w", err)
		}
	}
	r.data = strings.Join(data, ",")
	return r, nil
}

// resolveServer replaces a host name: in the option addr, or for CIFS without that option in the device.
func resolveServer(ctx context.Context, fsType string, data []string, device string, resolve resolver) ([]string, string, error) {
	i := slices.IndexFunc(data, func(o string) bool { return strings.HasPrefix(o, "addr=") })
	if i >= 0 {
		host := strings.TrimPrefix(data[i], "addr=")
		if _, err := netip.ParseAddr(host); err == nil {
			return data, device, nil
		}
		addr, err := resolve(ctx, host)
		if err != nil {
			return nil, "", err
		}
		data[i] = "addr=" + addr.String()
		return data, device, nil
	}
	u, err := url.Parse(device)
	if fsType != "cifs" || err != nil || u.Host == "" {
		return data, device, nil
	}
	if _, err := netip.ParseAddr(strings.Trim(u.Host, "[]")); err == nil {
		return data, device, nil
	}
	addr, err := resolve(ctx, u.Host)
	if err != nil {
		return nil, "", err
	}
	return data, strings.Replace(device, u.Host, addr.String(), 1), nil
}

// secrets are the options that are not told to anybody.
var secrets = []string{"password", "pass", "password2"}

// failed describes a call that failed in the words of moby/sys/mount, without its secrets.
func (r request) failed(op string, flags uintptr, err error) error {
	what := r.target
	if r.device != "" {
		what = r.device + ":" + r.target
	}
	if flags != 0 {
		what += fmt.Sprintf(", flags: %#x", flags)
	}
	if data := hide(r.data); data != "" {
		what += ", data: " + data
	}
	return fmt.Errorf("%s %s: %w", op, what, err)
}

func hide(data string) string {
	options := strings.Split(data, ",")
	for i, o := range options {
		if key, _, ok := strings.Cut(o, "="); ok && slices.Contains(secrets, key) {
			options[i] = key + "=********"
		}
	}
	return strings.Join(options, ",")
}

package netlink

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Where the kernel's network parameters are. What is read and written there belongs to the network namespace of the thread.
const procNet = "/proc/sys/net/"

// setSysctl writes a parameter, unless it has the value. One that this kernel has not is fs.ErrNotExist.
func setSysctl(name, value string) (changed bool, err error) {
	path := procNet + name
	now, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	if strings.TrimSpace(string(now)) == value {
		return false, nil
	}
	return true, os.WriteFile(path, []byte(value), 0o644)
}

// setIfThere is setSysctl for parameters of IPv6, which a kernel may be without.
func setIfThere(name, value string) error {
	if _, err := setSysctl(name, value); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// forward4 lets the host forward packets of IPv4.
func (p *Plumber) forward4() error {
	changed, err := setSysctl("ipv4/ip_forward", "1")
	if changed {
		p.log.Info("forwarding of IPv4 switched on")
	}
	return err
}

// forward6 lets the host forward packets of IPv6. A host that forwards does not hear routers any more unless it is told to
// (accept_ra=2), and would lose its own default route.
func (p *Plumber) forward6() error {
	now, err := os.ReadFile(procNet + "ipv6/conf/all/forwarding")
	if err != nil || strings.TrimSpace(string(now)) == "1" {
		return err
	}
	all, err := filepath.Glob(procNet + "ipv6/conf/*/accept_ra")
	if err != nil {
		return err
	}
	for _, path := range all {
		if hears, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(hears)) == "1" {
			if err := os.WriteFile(path, []byte("2"), 0o644); err != nil {
				return err
			}
		}
	}
	p.log.Info("forwarding of IPv6 switched on")
	return os.WriteFile(procNet+"ipv6/conf/all/forwarding", []byte("1"), 0o644)
}

// hairpinNeeded: with br_netfilter the kernel brings what a container sends to itself by a published port back to the port
// that it came from.
func hairpinNeeded() bool {
	on, err := os.ReadFile(procNet + "bridge/bridge-nf-call-iptables")
	return err == nil && strings.TrimSpace(string(on)) == "1"
}

// setInside sets the parameters of an interface inside: no addresses but ours, neighbours told of it when it comes up if they
// must be, and what the user wants. To be called in the container's namespace, before the interface is up.
func setInside(plug engine.Plug, announce bool) error {
	name := plug.Interface
	var params [][2]string
	if announce {
		params = append(params, [2]string{"ipv4/conf/" + name + "/arp_notify", "1"})
	}
	if slices.ContainsFunc(plug.Addrs, func(a netip.Prefix) bool { return a.Addr().Is6() }) {
		params = append(params,
			[2]string{"ipv6/conf/" + name + "/disable_ipv6", "0"},
			[2]string{"ipv6/conf/" + name + "/accept_ra", "0"}, // others on the network are no routers
			[2]string{"ipv6/conf/" + name + "/ndisc_notify", "1"})
	} else {
		params = append(params, [2]string{"ipv6/conf/" + name + "/disable_ipv6", "1"})
	}
	for _, s := range params {
		if err := setIfThere(s[0], s[1]); err != nil {
			return err
		}
	}
	for _, w := range plug.Sysctls {
		key, value, ok := strings.Cut(w, "=")
		path, valid := sysctlPath(key, name)
		if !ok || !valid {
			return fmt.Errorf("network parameter %q is not net.<family>.conf.IFNAME.<name>=<value>", w)
		}
		if _, err := setSysctl(path, value); err != nil {
			return fmt.Errorf("set %s: %w", w, err)
		}
	}
	return nil
}

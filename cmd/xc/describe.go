package main

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// status says a container's state in docker's words: "Up 3 minutes (healthy)", "Exited (1) 2 hours ago".
func status(c wire.Container) string {
	switch c.State {
	case "running", "paused":
		s := "Up"
		if c.Started != nil {
			s += " " + since(*c.Started)
		}
		if c.State == "paused" {
			return s + " (Paused)"
		}
		if c.Health != "" && c.Health != "none" {
			s += " (" + c.Health + ")"
		}
		return s
	case "exited", "restarting", "dead":
		s := fmt.Sprintf("%s%s (%d)", strings.ToUpper(c.State[:1]), c.State[1:], c.ExitCode)
		if c.Finished != nil {
			s += " " + ago(*c.Finished)
		}
		return s
	}
	return strings.ToUpper(c.State[:1]) + c.State[1:]
}

// addresses lists a container's addresses as "(network)interface|address".
func addresses(c wire.Container) (all []string) {
	for _, e := range c.Networks {
		var here []string
		for _, a := range []string{e.IPv4, e.IPv6} {
			if a != "" {
				here = append(here, a)
			}
		}
		if len(here) > 0 {
			all = append(all, fmt.Sprintf("(%s)%s|%s", e.Network, e.Interface, strings.Join(here, ",")))
		}
	}
	return all
}

// ports lists published ports as docker does.
func ports(c wire.Container) (all []string) {
	for _, p := range c.Ports {
		all = append(all, fmt.Sprintf("%s->%d/%s", hostPort(p), p.Port, p.Proto))
	}
	return all
}

func hostPort(p wire.Port) string { return net.JoinHostPort(p.HostIP, strconv.Itoa(int(p.HostPort))) }

// allowed lists what of allow.* a container's labels ask for.
func allowed(c wire.Container) (all []string) {
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		if name, ok := strings.CutPrefix(key, engine.LabelJail+"allow."); ok && c.Labels[key] != "0" && c.Labels[key] != "false" {
			all = append(all, name)
		}
	}
	return all
}

func sizeColumn(c wire.Container) string {
	if c.Size == nil {
		return ""
	}
	return fmt.Sprintf("%s (virtual %s)", bytesText(c.Size.Writable), bytesText(c.Size.Total))
}

// pairs renders a map as KEY=VALUE, in order.
func pairs(m map[string]string) (all []string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, key+"="+m[key])
	}
	return all
}

func positive(n int) string {
	if n <= 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// osName is the system of a container's programs as the original wrote it.
func osName(os string) string {
	switch os {
	case "freebsd":
		return "FreeBSD"
	case "linux":
		return "Linux"
	}
	return os
}

package dns

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxServers is how many name servers are used of a file, as resolv.conf(5) has it (MAXNS).
const maxServers = 3

// Conf is what a resolv.conf(5) says.
type Conf struct {
	Servers []netip.Addr
	Search  []string
	Options []string
}

// ParseConf reads resolv.conf(5). Lines that it does not understand are passed over, as the system's resolver does.
func ParseConf(text string) Conf {
	var c Conf
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line, _, _ = strings.Cut(line, ";")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(fields[1]); err == nil && len(c.Servers) < maxServers {
				c.Servers = append(c.Servers, a.Unmap())
			}
		case "domain":
			c.Search = fields[1:2]
		case "search":
			c.Search = fields[1:]
			if slices.Equal(c.Search, []string{"."}) {
				c.Search = nil
			}
		case "options":
			c.Options = append(c.Options, fields[1:]...)
		}
	}
	return c
}

// HostConf is the host's resolv.conf, read again when it changed. It is safe for concurrent use.
type HostConf struct {
	path string

	mu      sync.Mutex
	checked time.Time
	file    os.FileInfo // what was read; nil: nothing
	read    time.Time   // when
	conf    Conf
}

// recheck bounds how often the file is looked at.
const recheck = time.Second

// NewHostConf reads the file at path. One that is not there is like an empty one.
func NewHostConf(path string) *HostConf { return &HostConf{path: path} }

// Conf returns the present content.
func (h *HostConf) Conf() Conf {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if !h.checked.IsZero() && now.Sub(h.checked) < recheck {
		return h.conf
	}
	h.checked = now
	info, err := os.Stat(h.path)
	if err != nil {
		h.conf, h.file = Conf{}, nil
		return h.conf
	}
	if h.same(info) {
		return h.conf
	}
	if text, err := os.ReadFile(h.path); err == nil {
		h.conf, h.file, h.read = ParseConf(string(text)), info, now
	}
	return h.conf
}

// same reports whether the file is the one that was read. One that had just been written then may have been written again since, at
// what its system takes for the same time.
func (h *HostConf) same(info os.FileInfo) bool {
	return h.file != nil && os.SameFile(info, h.file) && info.ModTime().Equal(h.file.ModTime()) && info.Size() == h.file.Size() &&
		h.read.Sub(info.ModTime()) > recheck
}

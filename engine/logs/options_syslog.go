package logs

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"

	"github.com/docker/go-units"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs/syslog"
)

// facilities are those of RFC 5424, section 6.2.1, by their numbers; dockerd knows no names of 12 to 15.
var facilities = []string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "", "", "",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

const (
	defaultFacility = "daemon"
	defaultTag      = "{{.ID}}"
	syslogPort      = "514"
	// defaultBuffer is dockerd's for mode=non-blocking, in bytes.
	defaultBuffer = 1e6
)

// receiver reads the options that say where lines are sent, and checks them as dockerd does when a container is created.
func receiver(opts map[string]string) (engine.Syslog, error) {
	var s engine.Syslog
	var err error
	if s.Network, s.Address, err = syslogAddress(opts["syslog-address"]); err != nil {
		return s, err
	}
	if s.Facility, err = syslogFacility(opts["syslog-facility"]); err != nil {
		return s, err
	}
	s.Format = opts["syslog-format"]
	if !slices.Contains([]string{syslog.FormatDefault, syslog.Format3164, syslog.Format5424, syslog.Format5424us}, s.Format) {
		return s, errors.New("Invalid syslog format")
	}
	return s, nil
}

func syslogAddress(address string) (network, at string, err error) {
	if address == "" {
		return "", "", nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", "", err
	}
	switch u.Scheme {
	case "unix", "unixgram":
		if _, err := os.Stat(u.Path); err != nil {
			return "", "", err
		}
		return u.Scheme, u.Path, nil
	case "udp", "tcp":
	case "tcp+tls":
		return "", "", fmt.Errorf("syslog over TLS is not supported: use udp, tcp or a local socket, and a relay that speaks TLS")
	default:
		return "", "", fmt.Errorf("unsupported scheme: '%s'", u.Scheme)
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return u.Scheme, net.JoinHostPort(u.Hostname(), syslogPort), nil
	}
	return u.Scheme, u.Host, nil
}

func syslogFacility(name string) (int, error) {
	if name == "" {
		name = defaultFacility
	}
	if i := slices.Index(facilities, name); i >= 0 {
		return i, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(facilities) {
		return n, nil
	}
	return 0, errors.New("invalid syslog facility")
}

// resolveSyslog makes a log that is sent, and kept as the driver local keeps it, so that it can be read here. Options of what
// is kept begin with "cache-".
func resolveSyslog(opts map[string]string, info Info) (engine.LogFile, error) {
	kept := map[string]string{}
	for _, k := range []string{"max-size", "max-file", "compress"} {
		if v, ok := opts["cache-"+k]; ok {
			kept[k] = v
		}
	}
	f, err := resolveLocal(kept)
	if err != nil {
		return f, err
	}
	f.Driver = DriverSyslog
	s, err := receiver(opts)
	if err != nil {
		return f, err
	}
	tag := opts["tag"]
	if tag == "" {
		tag = defaultTag
	}
	info.Config = opts
	if s.Tag, err = info.render(tag); err != nil {
		return f, err
	}
	s.Hostname = info.HostName
	if opts["mode"] == nonBlocking {
		s.Buffer = defaultBuffer
		if size := opts["max-buffer-size"]; size != "" {
			if s.Buffer, err = units.RAMInBytes(size); err != nil {
				return f, err
			}
		}
	}
	f.Syslog = &s
	f.Attrs, err = info.attrs(opts)
	return f, err
}

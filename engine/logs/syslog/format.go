package syslog

import (
	"strconv"
	"time"

	"github.com/xcengine/xc/engine"
)

// Severities of RFC 5424, section 6.2.1.
const (
	severityErr  = 3
	severityInfo = 6
)

// Formats are Docker's names of the forms of a message.
const (
	FormatDefault = ""             // as a program writes to its own host's syslogd
	Format3164    = "rfc3164"      // with the host's name
	Format5424    = "rfc5424"      // with seconds
	Format5424us  = "rfc5424micro" // with microseconds
)

// appendMessage appends one message with its line feed.
func appendMessage(dst []byte, s engine.Syslog, src engine.Source, pid int, at time.Time, line []byte) []byte {
	severity := severityInfo
	if src == engine.SourceStderr {
		severity = severityErr
	}
	dst = append(strconv.AppendInt(append(dst, '<'), int64(s.Facility<<3|severity), 10), '>')
	process := strconv.Itoa(pid)
	switch s.Format {
	case Format5424, Format5424us:
		layout := time.RFC3339
		if s.Format == Format5424us {
			layout = "2006-01-02T15:04:05.000000Z07:00"
		}
		// The tag is APP-NAME as well as MSGID, so that rsyslog's %syslogtag% is what it is with RFC 3164.
		dst = append(at.AppendFormat(append(dst, "1 "...), layout), ' ')
		dst = append(dst, s.Hostname+" "+s.Tag+" "+process+" "+s.Tag+" - "...)
	default:
		dst = append(at.AppendFormat(dst, time.Stamp), ' ')
		if s.Format == Format3164 {
			dst = append(dst, s.Hostname+" "...)
		}
		dst = append(dst, s.Tag+"["+process+"]: "...)
	}
	return append(append(dst, line...), '\n')
}

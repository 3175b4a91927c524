package translate

import (
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/xcengine/xc/engine"
)

// LogsQuery is the query of a logs request as text.
type LogsQuery struct {
	Stdout, Stderr, Follow bool
	Since, Until, Tail     string
}

// LogQuery reads the query of a logs request. A tail that is no number is all.
func LogQuery(l LogsQuery, now time.Time) (q engine.LogQuery, err error) {
	if !l.Stdout && !l.Stderr {
		return q, invalidf("Bad parameters: you must choose at least one stream")
	}
	q = engine.LogQuery{Stdout: l.Stdout, Stderr: l.Stderr, Follow: l.Follow, Tail: -1}
	if q.Since, err = bound(l.Since, now); err != nil {
		return q, err
	}
	if q.Until, err = bound(l.Until, now); err != nil {
		return q, err
	}
	if n, err := strconv.Atoi(l.Tail); err == nil {
		q.Tail = max(n, -1)
	}
	return q, nil
}

// bound reads a point in time; "" and 0 seconds since the epoch are none.
func bound(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := ParseTime(s, now)
	if err != nil || t.UnixNano() == 0 {
		return time.Time{}, err
	}
	return t, nil
}

// LogPrefix appends what precedes a line of a log: its time, and its attributes.
func LogPrefix(buf []byte, r engine.LogRecord, timestamps, details bool) []byte {
	if timestamps {
		buf = r.Time.UTC().AppendFormat(buf, "2006-01-02T15:04:05.000000000Z07:00")
		buf = append(buf, ' ')
	}
	if details {
		for i, k := range slices.Sorted(maps.Keys(r.Attrs)) {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = append(buf, url.QueryEscape(k)+"="+url.QueryEscape(r.Attrs[k])...)
		}
		buf = append(buf, ' ')
	}
	return buf
}

// dimension reads one side of a terminal.
func dimension(name, s string) (uint16, error) {
	digits := strings.TrimPrefix(s, "-")
	n, err := strconv.ParseUint(digits, 10, 16)
	switch {
	case strings.HasPrefix(digits, "+"), errors.Is(err, strconv.ErrSyntax):
		return 0, invalidf("invalid resize %s %q: invalid syntax", name, s)
	case err != nil, digits != s:
		return 0, invalidf("invalid resize %s %q: value out of range", name, s)
	}
	return uint16(n), nil
}

// PathStat renders what is known of a path.
func PathStat(p engine.PathStat) container.PathStat {
	return container.PathStat{Name: p.Name, Size: p.Size, Mode: fs.FileMode(p.Mode), Mtime: p.ModTime.UTC(), LinkTarget: p.LinkTarget}
}

// NeedsPath refuses an archive request without a path.
func NeedsPath(path string) error {
	if path == "" {
		return invalidf("bad parameter: pathcannot be empty")
	}
	return nil
}

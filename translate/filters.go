package translate

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xcengine/xc/engine"
)

// Filters is a filters parameter: the values of each key, sorted and without doubles.
type Filters map[string][]string

// ParseFilters reads a filters parameter in either form, {"label":{"a=b":true}} or {"label":["a=b"]}. The empty string has no
// filters.
func ParseFilters(s string) (Filters, error) {
	out := Filters{}
	if s == "" {
		return out, nil
	}
	var sets map[string]map[string]bool
	if err := json.Unmarshal([]byte(s), &sets); err == nil {
		for key, set := range sets {
			out[key] = slices.Sorted(maps.Keys(set))
		}
		return out, nil
	}
	var lists map[string][]string
	if err := json.Unmarshal([]byte(s), &lists); err != nil {
		return nil, invalidf("invalid filter")
	}
	for key, list := range lists {
		slices.Sort(list)
		out[key] = slices.Compact(list)
	}
	return out, nil
}

// Only reports the first key that is not among the known ones.
func (f Filters) Only(known ...string) error {
	for _, key := range slices.Sorted(maps.Keys(f)) {
		if !slices.Contains(known, key) {
			return badFilter(key)
		}
	}
	return nil
}

// Has reports whether the key was given, with values or without.
func (f Filters) Has(key string) bool {
	_, ok := f[key]
	return ok
}

// Bool reads a key whose value is true or false; nil when it was not given.
func (f Filters) Bool(key string) (*bool, error) {
	values, ok := f[key]
	if !ok {
		return nil, nil
	}
	yes := slices.Contains(values, "1") || slices.Contains(values, "true")
	no := slices.Contains(values, "0") || slices.Contains(values, "false")
	if yes == no {
		return nil, badFilter(key, values...)
	}
	return &yes, nil
}

// Labels reads a key of label matches: "key" or "key=value".
func (f Filters) Labels(key string) []engine.LabelMatch {
	var out []engine.LabelMatch
	for _, v := range f[key] {
		k, value, has := strings.Cut(v, "=")
		out = append(out, engine.LabelMatch{Key: k, Value: value, HasValue: has})
	}
	return out
}

// Until reads the key "until": a duration before now, a time stamp, or seconds since the epoch; zero when it was not given.
func (f Filters) Until(now time.Time) (time.Time, error) {
	if len(f["until"]) > 1 {
		return time.Time{}, invalidf("more than one until filter specified")
	}
	return f.Earliest(now)
}

// Earliest reads the key "until" where it may be given several times: all of them must hold.
func (f Filters) Earliest(now time.Time) (earliest time.Time, err error) {
	for _, v := range f["until"] {
		t, err := ParseTime(v, now)
		if err != nil {
			return t, err
		}
		if earliest.IsZero() || t.Before(earliest) {
			earliest = t
		}
	}
	return earliest, nil
}

// badFilter is dockerd's refusal of a key, or of its values when some are given.
func badFilter(key string, values ...string) error {
	if len(values) == 0 {
		return invalidf("invalid filter '%s'", key)
	}
	return invalidf("invalid filter '%s=%v'", key, values)
}

// timeLayouts are what Docker takes for a time stamp: RFC 3339 or its beginning, with a zone or without one.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15Z07:00", "2006-01-02Z07:00",
	"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15", "2006-01-02",
}

// ParseTime reads a point in time as since, until and the until filter take it: a duration before now, an RFC 3339 stamp or
// its beginning (in now's zone when it names none), or seconds since the epoch with a fraction.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && s != "0" {
		return now.Add(-d), nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	sec, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	nano, err2 := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
	if err != nil || err2 != nil || nano < 0 {
		return time.Time{}, invalidf("failed to parse value as time or duration: %q", s)
	}
	return time.Unix(n, nano), nil
}

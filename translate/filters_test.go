package translate

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestParseFilters(t *testing.T) {
	for in, want := range map[string]Filters{
		"":                                   {},
		"null":                               {},
		"{}":                                 {},
		`{"label":{"a=b":true,"a":true}}`:    {"label": {"a", "a=b"}},
		`{"label":["b","a","b"]}`:            {"label": {"a", "b"}},
		`{"status":{},"name":{"x":true}}`:    {"status": nil, "name": {"x"}},
		`{"label":["k={\"json\":\"v,w\"}"]}`: {"label": {`k={"json":"v,w"}`}},
	} {
		got, err := ParseFilters(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, got, cmp.Transformer("nil", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
	}
	for _, in := range []string{"zz", `["a"]`, `{"a":1}`, `{"a":"b"}`, `{`} {
		if _, err := ParseFilters(in); err == nil || Message(err) != "invalid filter" || Kind(err) != engine.Invalid {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestFilterValues(t *testing.T) {
	f := Filters{"foo": {"x"}, "dangling": {"abc", "d"}, "both": {"0", "true"}, "yes": {"1"}, "no": {"false"}, "empty": nil}
	for key, want := range map[string]string{
		"dangling": "invalid filter 'dangling=[abc d]'", "both": "invalid filter 'both=[0 true]'", "empty": "invalid filter 'empty'",
	} {
		if _, err := f.Bool(key); err == nil || Message(err) != want {
			t.Errorf("%s: %v", key, err)
		}
	}
	for key, want := range map[string]*bool{"yes": ptr(true), "no": ptr(false), "absent": nil} {
		if got, err := f.Bool(key); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v, %v", key, got, err)
		}
	}
	if err := f.Only("dangling", "both", "yes", "no", "empty"); err == nil || Message(err) != "invalid filter 'foo'" {
		t.Error(err)
	}
}

func ptr[T any](v T) *T { return &v }

func TestParseTime(t *testing.T) {
	for in, want := range map[string]time.Time{
		"10m":                            noon.Add(-10 * time.Minute),
		"-1h":                            noon.Add(time.Hour),
		"0":                              time.Unix(0, 0),
		"0.000000000":                    time.Unix(0, 0),
		"1795437213.544470782":           time.Unix(1795437213, 544470782),
		"1795437213.5":                   time.Unix(1795437213, 500000000),
		"2026-11-23T13:10:20.568913444Z": time.Date(2026, 11, 23, 13, 10, 20, 568913444, time.UTC),
		"2026-11-23T13:10:20.5+02:00":    time.Date(2026, 11, 23, 11, 10, 20, 500000000, time.UTC),
		"2026-11-23T13:10":               time.Date(2026, 11, 23, 13, 10, 0, 0, time.UTC),
		"2026-11-23":                     time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
		"2026-11-23Z":                    time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
	} {
		got, err := ParseTime(in, noon)
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"zz", "", "1.x", "1.-5", "2026-13-40", "99999999999999999999"} {
		if got, err := ParseTime(in, noon); err == nil {
			t.Errorf("%q was taken for %v", in, got)
		}
	}
	if _, err := (Filters{"until": {"1h", "2h"}}).Until(noon); err == nil || Message(err) != "more than one until filter specified" {
		t.Error(err)
	}
	if got, err := (Filters{"until": {"1h", "2h", "90m"}}).Earliest(noon); err != nil || !got.Equal(noon.Add(-2*time.Hour)) {
		t.Errorf("several: %v, %v", got, err)
	}
	if _, err := (Filters{"until": {"zz"}}).Until(noon); err == nil || Message(err) != `failed to parse value as time or duration: "zz"` {
		t.Error(err)
	}
}

// FuzzFilters holds that whatever docker's own parser takes, ours takes too and with the same keys.
func FuzzFilters(f *testing.F) {
	for _, seed := range []string{`{"label":{"a=b":true}}`, `{"label":["a"]}`, `null`, `{"until":["1h"]}`, `{"a":{"b":false}}`, `["a"]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		theirs, theirErr := filters.FromJSON(s)
		ours, err := ParseFilters(s)
		if (err == nil) != (theirErr == nil) {
			t.Fatalf("%q: docker says %v, we say %v", s, theirErr, err)
		}
		if err != nil {
			return
		}
		for _, key := range theirs.Keys() {
			if !ours.Has(key) || len(ours[key]) != len(theirs.Get(key)) {
				t.Errorf("%q: key %q: %q, docker has %q", s, key, ours[key], theirs.Get(key))
			}
		}
		ours.Labels("label")
		_, _ = ours.Until(noon)
		_, _ = ContainerQuery(ListQuery{Filters: ours})
		if _, err := json.Marshal(ours); err != nil {
			t.Error(err)
		}
	})
}

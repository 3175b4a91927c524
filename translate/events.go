package translate

//lint:file-ignore SA1019 old clients send and read what is deprecated

import (
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"

	"github.com/xcengine/xc/engine"
)

// EventsQuery is the query of an events request as text.
type EventsQuery struct {
	Since, Until string
	Filters      Filters
}

// foreignEvents are the filters by kinds of things that this engine has none of.
var foreignEvents = []string{"plugin", "service", "node", "secret", "config"}

// EventQuery reads the query of an events request. Times are seconds since the epoch with a fraction; filters that nobody
// knows are ignored, both as dockerd does.
func EventQuery(e EventsQuery) (engine.EventQuery, error) {
	f := e.Filters
	q := engine.EventQuery{
		Actions: f["event"], Containers: f["container"], Images: f["image"], Networks: f["network"], Volumes: f["volume"],
		Daemons: f["daemon"], Scopes: f["scope"], Labels: f.Labels("label"),
	}
	for _, t := range f["type"] {
		q.Types = append(q.Types, engine.EventType(t))
	}
	for _, key := range foreignEvents {
		if len(f[key]) > 0 {
			q.Foreign = append(q.Foreign, f[key])
		}
	}
	var err error
	if q.Since, err = eventTime(e.Since); err != nil {
		return q, err
	}
	if q.Until, err = eventTime(e.Until); err != nil {
		return q, err
	}
	if e.Until != "" && q.Until.Before(q.Since) {
		return q, invalidf("`since` time (%s) cannot be after `until` time (%s)", e.Since, e.Until)
	}
	return q, nil
}

// eventTime reads "seconds[.fraction]"; "" is no bound.
func eventTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	whole, fraction, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, faultf("%w", err)
	}
	if fraction == "" {
		return time.Unix(sec, 0), nil
	}
	nano, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return time.Time{}, faultf("%w", err)
	}
	return time.Unix(sec, nano), nil
}

// ShowsEvent reports whether a version knows an event: the creation of an image is told since 1.46.
func ShowsEvent(e engine.Event, v Version) bool {
	return e.Type != engine.EventImage || e.Action != "create" || !v.Before(1, 46)
}

// Event renders an event. Those of containers and images are told twice, the second time in the fields of Docker 1.10.
func Event(e engine.Event) events.Message {
	m := events.Message{
		Type: events.Type(e.Type), Action: events.Action(e.Action), Actor: events.Actor{ID: e.ID, Attributes: orEmptyMap(e.Attributes)},
		Scope: "local", Time: e.Time.Unix(), TimeNano: e.Time.UnixNano(),
	}
	switch e.Type {
	case engine.EventContainer:
		m.Status, m.ID, m.From = e.Action, e.ID, e.Attributes["image"]
	case engine.EventImage:
		m.Status, m.ID = e.Action, e.ID
	}
	return m
}

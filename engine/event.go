package engine

import "time"

// EventType is what an event is about.
type EventType string

// The event types.
const (
	EventContainer EventType = "container"
	EventImage     EventType = "image"
	EventNetwork   EventType = "network"
	EventVolume    EventType = "volume"
	EventDaemon    EventType = "daemon"
	EventBuilder   EventType = "builder"
)

// Event is one thing that happened. Actions are Docker's words ("start", "die", "exec_create: sh -c true").
type Event struct {
	Time       time.Time
	Type       EventType
	Action     string
	ID         string // of the thing: a container's or network's full id, an image's id or name, a volume's name
	Attributes map[string]string
}

// EventQuery selects events. Since and Until zero mean no bound; a past Until ends the stream after the replay.
type EventQuery struct {
	Since, Until                                           time.Time
	Types                                                  []EventType
	Actions                                                []string // exact, or the part before ": "
	Containers, Images, Networks, Volumes, Daemons, Scopes []string
	Labels                                                 []LabelMatch
	// Foreign are the values of each filter by a kind of thing that this engine has none of (plugin, service, node, …).
	Foreign [][]string
}

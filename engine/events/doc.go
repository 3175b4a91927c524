// Package events is the daemon's one log of what happened. Services publish each state transition once; wait, the events
// route and whoever else must know are fed from here, and nobody polls.
//
// Decisions:
//   - The last 256 events are kept for replay, as dockerd keeps them. They are also written to the store, in batches and
//     behind the publisher's back, so that a restart of the daemon does not lose them. A killed daemon may lose those of its
//     last tenth of a second: what they told is in the records of the things themselves.
//   - Publish never waits for a subscriber or for the store. A subscriber that falls 1024 events behind loses its
//     subscription, visibly: its channel is closed.
//   - Times of events never repeat, so that a client that asks again from the last time it saw plus a nanosecond gets
//     everything once.
package events

package engine

// State is where a container is in its life. The moves between states are a table in engine/lifecycle.
type State string

// The states, by Docker's names. Intermediate steps (being started, being stopped) are not states: they are intents,
// written to the database beside the state.
const (
	StateCreated    State = "created"
	StateRunning    State = "running"
	StatePaused     State = "paused"
	StateRestarting State = "restarting" // ended, waiting for its restart policy's delay
	StateRemoving   State = "removing"
	StateExited     State = "exited"
	StateDead       State = "dead" // removal failed half-way; only removal is possible
)

// States returns every state.
func States() []State {
	return []State{StateCreated, StateRunning, StatePaused, StateRestarting, StateRemoving, StateExited, StateDead}
}

// Alive reports whether the container's main process exists.
func (s State) Alive() bool { return s == StateRunning || s == StatePaused }

package lifecycle

import (
	"slices"

	"github.com/xcengine/xc/engine"
)

// moves is the whole state machine: from each state, the states that may follow. The moves to the state itself are those
// that only change other parts of the status. The empty state is that of a container without a record.
var moves = map[engine.State][]engine.State{
	"":                     {engine.StateCreated},
	engine.StateCreated:    {engine.StateCreated, engine.StateRunning, engine.StateExited, engine.StateRemoving},
	engine.StateRunning:    {engine.StateRunning, engine.StatePaused, engine.StateExited, engine.StateRestarting},
	engine.StatePaused:     {engine.StatePaused, engine.StateRunning, engine.StateExited, engine.StateRestarting},
	engine.StateRestarting: {engine.StateRestarting, engine.StateRunning, engine.StateExited},
	engine.StateExited:     {engine.StateExited, engine.StateRunning, engine.StateRestarting, engine.StateRemoving},
	engine.StateRemoving:   {engine.StateRemoving, engine.StateDead},
	engine.StateDead:       {engine.StateDead, engine.StateRemoving},
}

// checkMove returns a Conflict that names both states when the table has no such move.
func checkMove(op string, c engine.Container, to engine.State) error {
	if slices.Contains(moves[c.Status.State], to) {
		return nil
	}
	return &engine.Error{
		Op: op, Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: c.Name,
		Reason: engine.ReasonState, Args: []string{string(c.Status.State), string(to)},
	}
}

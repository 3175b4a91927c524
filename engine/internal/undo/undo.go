// Package undo holds a stack of steps that take back what was done, for operations that must leave nothing after an error.
package undo

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// timeLimit bounds a whole Run: undoing goes on when the request that failed was cancelled, but not for ever.
const timeLimit = 30 * time.Second

// Stack collects steps. Its zero value is ready; it is not safe for concurrent use.
type Stack struct {
	steps []step
}

type step struct {
	name string
	do   func(context.Context) error
}

// Push adds a step that takes back what was just done, or is about to be. The step must succeed when there is nothing to
// take back.
func (s *Stack) Push(name string, do func(context.Context) error) {
	s.steps = append(s.steps, step{name, do})
}

// Run takes everything back, last first, and empties the stack. Every step is run whatever the others say; ctx's end does
// not stop it.
func (s *Stack) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeLimit)
	defer cancel()
	var errs []error
	for i := len(s.steps) - 1; i >= 0; i-- {
		if err := s.steps[i].do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("undo %s: %w", s.steps[i].name, err))
		}
	}
	s.steps = nil
	return errors.Join(errs...)
}

// Drop forgets the steps: what they would take back is to stay.
func (s *Stack) Drop() { s.steps = nil }

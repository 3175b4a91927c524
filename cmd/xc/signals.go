package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// passed are the signals that a container gets in place of this program.
var passed = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT}

// signals are this program's: those that ask for its end cancel its work, unless somebody else takes all of them.
type signals struct {
	mu    sync.Mutex
	taken bool
}

// watch returns a context that ends with the first signal that asks for it, and a function that ends the watching.
func (s *signals) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	c := make(chan os.Signal, 16)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-c:
				if !s.areTaken() {
					cancel()
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() { signal.Stop(c); close(done); cancel() }
}

// give gives all signals to a function, until restore is called.
func (s *signals) give(by func(os.Signal)) (restore func()) {
	c := make(chan os.Signal, 16)
	s.set(true)
	signal.Notify(c, passed...)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case sig := <-c:
				by(sig)
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(c); close(done); s.set(false) }
}

func (s *signals) set(taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = taken
}

func (s *signals) areTaken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// windowChanges tells of changes of the terminal's size.
func windowChanges() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	return c, func() { signal.Stop(c) }
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// usage is a sample with what follows from the one before.
type usage struct {
	wire.Stats
	CPUPercent float64 `json:"cpu_percent"` // of one processor
	MemPercent float64 `json:"memory_percent"`
}

func statsCommand(a *app) *cobra.Command {
	var o output
	var all, once, noHead, noTrunc bool
	cmd := &cobra.Command{
		Use: "stats [flags] [CONTAINER...]", Short: "Show what containers use, again every second", ValidArgsFunction: a.containerNames(0, running),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			refs, err := a.statRefs(ctx, args, all)
			if err != nil {
				return err
			}
			b := &board{samples: map[string]usage{}, changed: make(chan struct{}, 1)}
			for _, ref := range refs {
				b.watch(ctx, a.daemon(), ref, once)
			}
			if once || terminal(a.stdout) == nil || !o.asText() {
				return a.statsPlain(ctx, b, &o, once, noHead, noTrunc)
			}
			return a.statsScreen(ctx, b, noHead, noTrunc)
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&all, "all", "a", false, "also those that do not run")
	f.BoolVar(&once, "no-stream", false, "once")
	f.BoolVarP(&noHead, "no-header", "H", false, "without the columns' names")
	f.BoolVar(&noTrunc, "no-trunc", false, "whole ids")
	return cmd
}

// statRefs are the ids of those that are named, or of all.
func (a *app) statRefs(ctx context.Context, args []string, all bool) (refs []string, err error) {
	if len(args) == 0 {
		query := running
		if all {
			query = everyContainer
		}
		found, err := a.daemon().Containers(ctx, query)
		for _, c := range found {
			refs = append(refs, c.ID)
		}
		return refs, err
	}
	for _, ref := range args {
		c, err := a.daemon().Container(ctx, ref, false)
		if err != nil {
			return nil, a.explain(ctx, ref, err)
		}
		refs = append(refs, c.ID)
	}
	return refs, nil
}

// board holds the last sample of each container.
type board struct {
	watchers sync.WaitGroup
	changed  chan struct{}

	mu      sync.Mutex
	samples map[string]usage
	err     error
}

// watch keeps one container's sample. Of a single look two samples are taken, for a rate is between two.
func (b *board) watch(ctx context.Context, c *client.Client, ref string, once bool) {
	b.watchers.Go(func() {
		var before wire.Stats
		for s, err := range c.Stats(ctx, ref, false) {
			if err != nil {
				if ctx.Err() == nil {
					b.fail(err)
				}
				return
			}
			first := before.Read.IsZero()
			b.set(s, before)
			before = s
			if once && (!first || s.Read.IsZero()) {
				return
			}
		}
	})
}

func (b *board) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = errors.Join(b.err, err)
}

func (b *board) set(s, before wire.Stats) {
	u := usage{Stats: s}
	if span := s.Read.Sub(before.Read); !before.Read.IsZero() && span > 0 && s.CPU >= before.CPU {
		u.CPUPercent = 100 * float64(s.CPU-before.CPU) / float64(span)
	}
	if s.MemLimit > 0 {
		u.MemPercent = 100 * float64(s.Memory) / float64(s.MemLimit)
	}
	b.mu.Lock()
	b.samples[s.ID] = u
	b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// all gives the samples in the order of names.
func (b *board) all() []usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.samples), func(x, y usage) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
}

// statsPlain prints once, or again at each second.
func (a *app) statsPlain(ctx context.Context, b *board, o *output, once, noHead, whole bool) error {
	show := func() error {
		all := b.all()
		return printAll(o, a.stdout, all, func(w io.Writer) error { return statsTable(all, whole).write(w, noHead) })
	}
	ended := make(chan struct{})
	go func() { b.watchers.Wait(); close(ended) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
			if err := show(); err != nil {
				return err
			}
			return b.err
		case <-tick.C:
			if once {
				continue
			}
			if err := show(); err != nil {
				return err
			}
		}
	}
}

// statsScreen draws a table in place.
func (a *app) statsScreen(ctx context.Context, b *board, noHead, whole bool) error {
	ended := make(chan struct{})
	go func() { b.watchers.Wait(); close(ended) }()
	lines := 0
	draw := func() error {
		if lines > 0 {
			fmt.Fprintf(a.stdout, "\x1b[%dA\x1b[J", lines)
		}
		all := b.all()
		if lines = len(all); !noHead {
			lines++
		}
		return statsTable(all, whole).write(a.stdout, noHead)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
			return errors.Join(draw(), b.err)
		case <-b.changed:
			if err := draw(); err != nil {
				return err
			}
		}
	}
}

func statsTable(all []usage, whole bool) *table {
	t := &table{head: []string{"ID", "NAME", "CPU", "MEMORY", "LIMIT", "MEM", "NET IN", "NET OUT", "DISK IN", "DISK OUT", "PIDS"}}
	for _, u := range all {
		id := u.ID
		if !whole {
			id = clip(id, 12)
		}
		if u.Read.IsZero() {
			t.add(id, u.Name, "-", "-", "-", "-", "-", "-", "-", "-", "-")
			continue
		}
		size := func(n uint64) string { return bytesText(int64(n)) }
		t.add(id, u.Name, fmt.Sprintf("%.2f%%", u.CPUPercent), size(u.Memory), size(u.MemLimit), fmt.Sprintf("%.2f%%", u.MemPercent),
			size(u.RxBytes), size(u.TxBytes), size(u.BlockIn), size(u.BlockOut), fmt.Sprint(u.Pids))
	}
	return t
}

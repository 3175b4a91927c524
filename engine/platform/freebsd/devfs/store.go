package devfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/internal/wholefile"
)

// lastRuleset is the highest number that a ruleset can have (sys/fs/devfs/devfs.h: devfs_rsnum).
const lastRuleset = 65535

// Store hands out rulesets. Its file keeps their numbers by content over restarts. It is safe for concurrent use.
type Store struct {
	Path  string // of the file
	First int    // the first number to use
	Force int    // when not 0, this ruleset is used for everything and none is generated
	Run   runner.Runner
	// Sets lists the numbers of the rulesets that the kernel has.
	Sets func() ([]int, error)

	mu sync.Mutex
}

// Ruleset returns the number of a ruleset with these rules, made if there is none.
func (s *Store) Ruleset(ctx context.Context, rules []Rule) (int, error) {
	if s.Force != 0 {
		return s.Force, nil
	}
	hash, err := Hash(rules)
	if err != nil {
		return 0, &engine.Error{Op: "devfs", Kind: engine.Invalid, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers, err := s.load()
	if err != nil {
		return 0, err
	}
	defined, err := s.Sets()
	if err != nil {
		return 0, err
	}
	id, known := numbers[hash]
	if known && slices.Contains(defined, id) {
		return id, nil
	}
	if !known {
		if id = s.free(numbers, defined); id > lastRuleset {
			return 0, fmt.Errorf("no devfs ruleset number is free from %d on", s.First)
		}
		numbers[hash] = id
		// Kept before it is made: a number that is given away is never given again.
		if err := s.save(numbers); err != nil {
			return 0, err
		}
	}
	return id, s.define(ctx, id, rules)
}

// free returns the first number that nobody has: neither a content of ours nor a ruleset of the host's.
func (s *Store) free(numbers map[string]int, defined []int) int {
	taken := slices.Clone(defined)
	for _, n := range numbers {
		taken = append(taken, n)
	}
	id := max(s.First, 1)
	for slices.Contains(taken, id) {
		id++
	}
	return id
}

// define makes a ruleset whole or takes back what it made of it.
func (s *Store) define(ctx context.Context, id int, rules []Rule) error {
	commands, err := Commands(id, rules)
	if err != nil {
		return err
	}
	for _, args := range commands {
		if _, err := s.Run.Run(ctx, runner.Cmd{Argv: append([]string{"/sbin/devfs"}, args...)}); err != nil {
			_, undo := s.Run.Run(context.WithoutCancel(ctx), runner.Cmd{Argv: []string{"/sbin/devfs", "rule", "-s", fmt.Sprint(id), "delset"}})
			return errors.Join(err, undo)
		}
	}
	return nil
}

func (s *Store) load() (map[string]int, error) {
	numbers := map[string]int{}
	data, err := os.ReadFile(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return numbers, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &numbers); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Path, err)
	}
	return numbers, nil
}

func (s *Store) save(numbers map[string]int) error {
	data, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	return wholefile.Write(s.Path, data)
}

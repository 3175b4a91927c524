package builder

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/xcengine/xc/engine"
)

// cache maps what steps depend on to the images that they made.
type cache struct {
	store Store

	mu      sync.Mutex
	entries map[string]engine.BuildCacheEntry
	touched map[string]bool          // used since they were written
	begun   map[string]chan struct{} // steps that are looked for or done; closed when that ends
}

func newCache(store Store, entries []engine.BuildCacheEntry) *cache {
	c := &cache{store: store, entries: map[string]engine.BuildCacheEntry{}, touched: map[string]bool{}, begun: map[string]chan struct{}{}}
	for _, e := range entries {
		c.entries[e.Key] = e
	}
	return c
}

// inputs is everything that a step's result depends on.
type inputs struct {
	Version  int // of the meaning of keys
	Parent   engine.ImageID
	Platform engine.Platform
	Author   string
	Before   []string `json:",omitempty"` // commands since the parent that made no image
	Command  string
	Config   engine.ImageConfig
	Also     []string // digests of files, arguments, mounts
}

// keyVersion changes when equal inputs may give other results than before.
const keyVersion = 1

func (in inputs) key() (string, error) {
	in.Version = keyVersion
	text, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// begin waits until no other build is at the step of a key: whoever comes second finds what the first made. The caller calls
// end.
func (c *cache) begin(ctx context.Context, key string) (end func(), err error) {
	for {
		c.mu.Lock()
		others := c.begun[key]
		if others == nil {
			own := make(chan struct{})
			c.begun[key] = own
			c.mu.Unlock()
			return func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				delete(c.begun, key)
				close(own)
			}, nil
		}
		c.mu.Unlock()
		select {
		case <-others:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// find returns the image of a key and notes that it was used.
func (c *cache) find(key string) (engine.ImageID, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if ok {
		e.LastUsed = now()
		e.Uses++
		c.entries[key], c.touched[key] = e, true
	}
	return e.Image, ok
}

func (c *cache) put(ctx context.Context, e engine.BuildCacheEntry) error {
	if err := c.store.ChangeBuildCache(ctx, []engine.BuildCacheEntry{e}, nil); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[e.Key] = e
	delete(c.touched, e.Key)
	return nil
}

func (c *cache) remove(ctx context.Context, keys ...string) error {
	if err := c.store.ChangeBuildCache(ctx, nil, keys); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		delete(c.entries, key)
		delete(c.touched, key)
	}
	return nil
}

// flush writes when entries were last used: once a build, not once a step.
func (c *cache) flush(ctx context.Context) error {
	c.mu.Lock()
	var used []engine.BuildCacheEntry
	for key := range c.touched {
		used = append(used, c.entries[key])
	}
	clear(c.touched)
	c.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	return c.store.ChangeBuildCache(ctx, used, nil)
}

// all returns the entries, the oldest first.
func (c *cache) all() []engine.BuildCacheEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.entries), func(a, b engine.BuildCacheEntry) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Key, b.Key))
	})
}

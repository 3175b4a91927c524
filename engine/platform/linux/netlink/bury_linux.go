package netlink

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// mourning is how long the dead lie. Mostly their namespace goes meanwhile, and takes them along.
const mourning = 250 * time.Millisecond

// burial deletes the interfaces of a group some time after they came into it.
type burial struct {
	send  *requester
	group uint32
	log   *slog.Logger

	mu    sync.Mutex
	timer *time.Timer // set while somebody waits to be buried
	done  sync.WaitGroup
}

func newBurial(send *requester, group uint32, log *slog.Logger) *burial {
	return &burial{send: send, group: group, log: log}
}

// later deletes the group after a while.
func (b *burial) later() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		return
	}
	b.done.Add(1)
	b.timer = time.AfterFunc(mourning, func() {
		defer b.done.Done()
		b.mu.Lock()
		b.timer = nil
		b.mu.Unlock()
		b.delete()
	})
}

// flush deletes the group now and returns when it is gone.
func (b *burial) flush() {
	b.mu.Lock()
	if b.timer != nil && b.timer.Stop() {
		b.timer = nil
		b.done.Done()
	}
	b.mu.Unlock()
	b.delete()
	b.done.Wait()
}

func (b *burial) delete() {
	err := b.send.link(unix.RTM_DELLINK, 0, attr(unix.IFLA_GROUP, nl.Uint32Attr(b.group)))
	if err != nil && !errors.Is(err, unix.ENODEV) {
		b.log.Warn("dead interfaces not deleted", "group", b.group, "error", err)
	}
}

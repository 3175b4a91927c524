package jailer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/platform/freebsd/jail"
	"github.com/xcengine/xc/engine/platform/freebsd/rctl"
)

// killTimeout is how long is waited for killed processes, which some file systems hold for long.
const killTimeout = 3 * time.Second

// endJail ends everything in a sandbox's jail and removes it, unless other containers are in it: to those it is left.
func (r *Runtime) endJail(ctx context.Context, rec record) error {
	info, err := findJail(rec)
	switch {
	case err == nil:
		left, err := r.leave(ctx, rec, info)
		if left || err != nil {
			return err
		}
		if err := removeJail(ctx, info.JID); err != nil {
			return err
		}
	case engine.KindOf(err) != engine.NotFound:
		return err
	}
	parent, _, nested := strings.Cut(rec.names()[0], ".")
	if !nested || !jail.IsLeft(parent) {
		return nil
	}
	return r.removeLeft(parent)
}

// leave empties a jail in which other containers are, for they share its network, and gives it a name that does not stand in
// the way of the container's next start. It reports false where there are none. Each step may be repeated.
func (r *Runtime) leave(ctx context.Context, rec record, info jail.Info) (bool, error) {
	if strings.Contains(info.Name, ".") {
		return false, nil // who is in a guest's jail shares more than the network, and ends with it
	}
	r.nesting.Lock()
	defer r.nesting.Unlock()
	inside, err := below(info)
	if err != nil {
		return false, err
	}
	guests, err := r.guests(inside)
	if err != nil || len(guests) == 0 {
		return false, err
	}
	left := jail.LeftName(info.Name, info.JID)
	for name, guest := range guests {
		guest.rec.Moved = left + strings.TrimPrefix(name, info.Name)
		if err := r.places.writeRecord(guest.id, guest.rec); err != nil {
			return false, err
		}
	}
	if err := empty(ctx, info, inside, guests); err != nil {
		return false, err
	}
	if err := rctl.Clear(rec.Jail); err != nil {
		return false, err
	}
	for _, name := range rec.Datasets {
		_, err := r.cfg.Run.Run(ctx, runner.Cmd{Argv: []string{"/sbin/zfs", "unjail", fmt.Sprint(info.JID), name}})
		if err != nil { // it was taken back before, or comes back with the jail
			r.log.WarnContext(ctx, "dataset not taken back", "dataset", name, "error", err)
		}
	}
	return true, jail.Rename(info.JID, left)
}

// guest is a container in another's jail.
type guest struct {
	id  engine.ContainerID
	rec record
}

// guests are the containers among some jails, by their jails' names.
func (r *Runtime) guests(inside []jail.Info) (map[string]guest, error) {
	if len(inside) == 0 {
		return nil, nil
	}
	ids, err := r.places.list()
	if err != nil {
		return nil, err
	}
	found := map[string]guest{}
	for _, id := range ids {
		rec, err := r.places.readRecord(id)
		if err != nil {
			continue // nothing was made of it yet
		}
		for _, j := range inside {
			if slices.Contains(rec.names(), j.Name) {
				found[j.Name] = guest{id, rec}
			}
		}
	}
	return found, nil
}

// empty ends what is in a jail except for guests and what they have in theirs.
func empty(ctx context.Context, info jail.Info, inside []jail.Info, guests map[string]guest) error {
	for _, j := range inside {
		kept := false
		for name := range guests {
			kept = kept || j.Name == name || strings.HasPrefix(j.Name, name+".")
		}
		if kept {
			continue
		}
		if err := jail.Remove(j.JID); err != nil {
			return err
		}
	}
	return kill(ctx, info.JID)
}

// kill ends the processes of one jail and not those of jails in it, as jail_remove(2) would. One that does not end in time
// is left alone: it has its signal.
func kill(ctx context.Context, jid int) error {
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	for pause := time.Millisecond; ; pause *= 2 {
		all, err := procs(jid)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(p proc) bool { return p.zombie })
		if len(all) == 0 {
			return nil
		}
		for _, p := range all {
			if err := unix.Kill(p.pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("kill %d: %w", p.pid, err)
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// removeLeft removes a jail that was left to others when the last of those is gone.
func (r *Runtime) removeLeft(name string) error {
	r.nesting.Lock()
	defer r.nesting.Unlock()
	info, err := jail.Find(name)
	if err != nil {
		if engine.KindOf(err) == engine.NotFound {
			return nil
		}
		return err
	}
	if jids, err := nested(info); err != nil || len(jids) > 1 {
		return err
	}
	return jail.Remove(info.JID)
}

// removeJail removes a jail with its processes and waits a moment until nothing holds it: its root can be unmounted then.
func removeJail(ctx context.Context, jid int) error {
	if err := jail.Remove(jid); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dyingTimeout)
	defer cancel()
	for pause := 200 * time.Microsecond; jail.Exists(jid); pause *= 2 {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// nested lists the numbers of a jail and of those below it.
func nested(info jail.Info) ([]int, error) {
	jids := []int{info.JID}
	all, err := below(info)
	for _, j := range all {
		jids = append(jids, j.JID)
	}
	return jids, err
}

// below lists the jails in a jail, and in those, by their names.
func below(info jail.Info) ([]jail.Info, error) {
	if info.ChildrenCur == 0 {
		return nil, nil
	}
	names, err := jail.Names()
	if err != nil {
		return nil, err
	}
	var found []jail.Info
	for _, n := range slices.Sorted(slices.Values(names)) {
		if !strings.HasPrefix(n, info.Name+".") {
			continue
		}
		if j, err := jail.Find(n); err == nil {
			found = append(found, j)
		}
	}
	return found, nil
}

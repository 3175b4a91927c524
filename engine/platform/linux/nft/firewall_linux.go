package nft

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/mdlayher/netlink"

	"github.com/xcengine/xc/engine"
)

// Firewall is the networks service's packet filter on Linux. It works in the network namespace of the thread that calls it
// first.
type Firewall struct {
	owner engine.Owner
	log   *slog.Logger

	mu sync.Mutex
	// link stays open: when a netlink socket of netfilter is closed, the kernel waits for the end of all that was deleted by
	// it, some milliseconds, where a change takes fifty microseconds.
	link    *nftables.Conn
	applied *state // what the kernel holds as far as we know; nil: unknown

	query  query
	gen    uint32 // of the kernel's rules, when others had not changed them since we looked
	handle uint64 // of our table
}

// New returns the packet filter of an owner. It touches nothing.
func New(owner engine.Owner, log *slog.Logger) *Firewall {
	return &Firewall{owner: owner, log: log}
}

// Apply makes the rules hold, in one transaction. When the kernel's table is not what was applied last, because someone
// flushed the ruleset, it is made anew. When others changed their rules, it is looked whether what they drop by default is
// still let through.
func (f *Firewall) Apply(ctx context.Context, rules engine.FirewallRules, assert bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	want := newState(f.owner, rules)
	var d delta // nothing is known of what came before nil
	if f.applied != nil {
		d = want.since(f.applied)
	}
	return f.bring(ctx, want, d, assert || f.applied == nil)
}

// ApplyPorts implements networks.PortFilter.
func (f *Firewall) ApplyPorts(ctx context.Context, gone, come []engine.FirewallPort) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.applied == nil {
		return false, nil
	}
	d := f.applied.portDelta(gone, come)
	f.applied.move(d.gone, d.come)
	err := f.bring(ctx, f.applied, d, false)
	if err != nil {
		f.applied.move(d.come, d.gone)
	}
	return true, err
}

// bring makes the kernel hold what is wanted, to which the delta leads from what was applied.
func (f *Firewall) bring(ctx context.Context, want *state, d delta, assert bool) error {
	gen, err := f.query.generation()
	changed := err != nil || gen != f.gen // by others
	f.gen = gen
	if err := f.apply(want, d, assert || changed && !f.stands()); err != nil {
		return &engine.Error{Op: "filter packets", Resource: engine.ResourceNetwork, Err: err}
	}
	look := changed || assert || !slices.Equal(f.applied.passes, want.passes)
	f.applied = want
	if look {
		f.letPass(ctx, want.passes)
	}
	f.forgetFlows(ctx, d.udp())
	return nil
}

func (f *Firewall) apply(want *state, d delta, assert bool) error {
	if !assert {
		diff := d.changes()
		if len(diff) == 0 {
			return nil
		}
		err := f.transact(func(c *nftables.Conn) error { return f.update(c, diff) })
		if err == nil {
			return nil
		}
		f.log.Warn("table of the packet filter is not as it was left, made anew", "table", TableName(f.owner), "error", err)
	}
	if err := f.transact(func(c *nftables.Conn) error { return f.replace(c, want.contents()) }); err != nil {
		return err
	}
	var err error
	f.handle, _, err = f.query.table(f.table())
	return err
}

// stands reports whether the table in the kernel is the one that we made.
func (f *Firewall) stands() bool {
	handle, _, err := f.query.table(f.table())
	return err == nil && handle == f.handle
}

// update changes elements only.
func (f *Firewall) update(conn *nftables.Conn, diff []change) error {
	table := f.table()
	for _, c := range diff {
		s := kernelSet(table, c.set)
		if err := inChunks(c.set, c.remove, func(e []nftables.SetElement) error { return conn.SetDeleteElements(s, e) }); err != nil {
			return err
		}
		if err := inChunks(c.set, c.in, func(e []nftables.SetElement) error { return conn.SetAddElements(s, e) }); err != nil {
			return err
		}
	}
	return nil
}

// replace makes the table from nothing. The kernel goes over from the old one to the new one at once.
func (f *Firewall) replace(conn *nftables.Conn, want Contents) error {
	table := conn.AddTable(f.table()) // so that there is one to delete
	conn.DelTable(table)
	conn.AddTable(table)
	comp := compiler{table: table, sets: make(map[string]*nftables.Set)}
	for _, s := range allSets() {
		ks := kernelSet(table, s)
		if err := conn.AddSet(ks, nil); err != nil {
			return err
		}
		comp.sets[s.name] = ks
		elements := missing(want[s.name], nil)
		if err := inChunks(s, elements, func(e []nftables.SetElement) error { return conn.SetAddElements(ks, e) }); err != nil {
			return err
		}
	}
	for _, c := range chains() {
		kc := conn.AddChain(kernelChain(table, c))
		for _, r := range c.rules {
			conn.AddRule(&nftables.Rule{Table: table, Chain: kc, Exprs: comp.rule(r)})
		}
	}
	return nil
}

// Cleanup removes the table, and the rules in those of others.
func (f *Firewall) Cleanup(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied = nil
	f.letPass(ctx, nil)
	err := f.transact(func(c *nftables.Conn) error {
		table := c.AddTable(f.table()) // deleting what is not there would fail
		c.DelTable(table)
		return nil
	})
	f.query.close()
	return errors.Join(err, f.disconnect())
}

// buffer holds a batch of thousands of elements and its acknowledgements.
const buffer = 4 << 20

func (f *Firewall) conn() (*nftables.Conn, error) {
	if f.link != nil {
		return f.link, nil
	}
	link, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		// As far as the system allows: small batches go through any buffer.
		return errors.Join(c.SetReadBuffer(buffer), c.SetWriteBuffer(buffer))
	}))
	if err != nil {
		return nil, err
	}
	f.link = link
	return link, nil
}

// transact sends what fill puts on the link as one transaction. After a failure unread answers may wait on the link, or half a
// batch, so it is not used again.
func (f *Firewall) transact(fill func(*nftables.Conn) error) error {
	conn, err := f.conn()
	if err != nil {
		return err
	}
	if err = fill(conn); err == nil {
		err = conn.Flush()
	}
	if err != nil {
		return errors.Join(err, f.disconnect())
	}
	f.gen++ // a transaction of somebody else's meanwhile makes it differ from the kernel's
	return nil
}

func (f *Firewall) disconnect() error {
	link := f.link
	f.link = nil
	if link == nil {
		return nil
	}
	return link.CloseLasting()
}

func (f *Firewall) table() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyINet, Name: TableName(f.owner)}
}

// inChunks keeps messages below the 64 KiB that an attribute's length can say.
func inChunks(s set, elements []element, send func([]nftables.SetElement) error) error {
	const most = 250
	for part := range slices.Chunk(elements, most) {
		var all []nftables.SetElement
		for _, e := range part {
			all = append(all, kernelElements(s, e)...)
		}
		if err := send(all); err != nil {
			return fmt.Errorf("set %s: %w", s.name, err)
		}
	}
	return nil
}

// kernelElements: a range in a set of one field is its start and the first key behind it; in one of several, both its ends.
func kernelElements(s set, e element) []nftables.SetElement {
	first := nftables.SetElement{Key: e.key, Val: e.data}
	if !s.interval {
		return []nftables.SetElement{first}
	}
	if len(s.key) > 1 {
		first.KeyEnd = e.end
		return []nftables.SetElement{first}
	}
	behind := slices.Clone(e.end)
	for i := len(behind) - 1; i >= 0; i-- {
		if behind[i]++; behind[i] != 0 {
			return []nftables.SetElement{first, {Key: behind, IntervalEnd: true}}
		}
	}
	return []nftables.SetElement{first} // up to the end of all addresses
}

func kernelSet(table *nftables.Table, s set) *nftables.Set {
	ks := &nftables.Set{Table: table, Name: s.name, KeyType: kernelType(s.key), Interval: s.interval, Concatenation: len(s.key) > 1}
	if s.key.types() == "ifname" {
		ks.KeyByteOrder = binaryutil.NativeEndian // only nft(8) cares, when it lists names
	}
	if len(s.values) > 0 {
		ks.IsMap, ks.DataType = true, kernelType(s.values)
	}
	return ks
}

func kernelType(key fields) nftables.SetDatatype {
	types := map[string]nftables.SetDatatype{
		"ifname": nftables.TypeIFName, "ipv4_addr": nftables.TypeIPAddr, "ipv6_addr": nftables.TypeIP6Addr,
		"inet_proto": nftables.TypeInetProto, "inet_service": nftables.TypeInetService,
	}
	if len(key) == 1 {
		return types[fieldInfo[key[0]].typ]
	}
	parts := make([]nftables.SetDatatype, len(key))
	for i, x := range key {
		parts[i] = types[fieldInfo[x].typ]
	}
	return nftables.MustConcatSetType(parts...)
}

func kernelChain(table *nftables.Table, c chain) *nftables.Chain {
	kc := &nftables.Chain{Name: c.name, Table: table}
	if c.hook == "" {
		return kc
	}
	kc.Type = nftables.ChainType(c.kind)
	kc.Hooknum = map[hook]*nftables.ChainHook{
		hookPrerouting: nftables.ChainHookPrerouting, hookForward: nftables.ChainHookForward,
		hookOutput: nftables.ChainHookOutput, hookPostrouting: nftables.ChainHookPostrouting,
	}[c.hook]
	kc.Priority = nftables.ChainPriorityRef(nftables.ChainPriority(c.priority))
	return kc
}

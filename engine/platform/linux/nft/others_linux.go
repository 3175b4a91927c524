package nft

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// letPass makes the chains of others that drop by default let through what our own chains decide on. The rules are ours by
// their comment; nothing else is changed. A chain that cannot be changed is left to Warnings.
func (f *Firewall) letPass(ctx context.Context, all []pass) {
	tables, err := f.others()
	if err != nil {
		f.log.WarnContext(ctx, "chains of others are not known", "error", err)
		return
	}
	for _, t := range tables {
		if t.owned {
			continue
		}
		changes := make(map[string]amendment)
		for _, c := range t.chains {
			if a := t.amend(f.owner, c, all); !a.empty() {
				changes[c.name] = a
			}
		}
		if len(changes) == 0 {
			continue
		}
		err := f.transact(func(conn *nftables.Conn) error { return f.amend(conn, t.table, changes) })
		if err != nil {
			f.log.WarnContext(ctx, "packets not let through a table of others", "table", t.name, "error", err)
		}
	}
}

func (f *Firewall) amend(conn *nftables.Conn, table *nftables.Table, changes map[string]amendment) error {
	for name, a := range changes {
		chain := &nftables.Chain{Table: table, Name: name}
		for _, handle := range a.remove {
			if err := conn.DelRule(&nftables.Rule{Table: table, Chain: chain, Handle: handle}); err != nil {
				return err
			}
		}
		for _, p := range a.add {
			r := &nftables.Rule{
				Table: table, Chain: chain, Position: a.before, Exprs: p.exprs(),
				UserData: userdata.AppendString(nil, userdata.TypeComment, p.mark(f.owner)),
			}
			if a.before != 0 {
				conn.InsertRule(r)
			} else {
				conn.AddRule(r)
			}
		}
	}
	return nil
}

// exprs is the rule in the form that iptables(8) makes, so that it can still list its own tables.
func (p pass) exprs() []expr.Any {
	meta := map[field]expr.MetaKey{iifname: expr.MetaKeyIIFNAME, oifname: expr.MetaKeyOIFNAME}[p.name]
	name := nameValue(p.bridge).bytes
	if prefix, ok := strings.CutSuffix(p.bridge, "*"); ok {
		name = []byte(prefix)
	}
	out := []expr.Any{
		&expr.Meta{Key: meta, Register: unix.NFT_REG_1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: name},
	}
	if p.port != 0 {
		out = append(out,
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG_1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{protoNumbers[p.proto]}},
			&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: binary.BigEndian.AppendUint16(nil, p.port)})
	}
	return append(out, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictAccept})
}

// kernelTable is somebody else's table, with what the kernel calls it.
type kernelTable struct {
	otherTable
	table *nftables.Table
}

// others reads every table but ours that has a chain where packets are forwarded or come in.
func (f *Firewall) others() ([]kernelTable, error) {
	conn, err := f.conn()
	if err != nil {
		return nil, err
	}
	all, err := conn.ListChains()
	if err != nil {
		return nil, errors.Join(err, f.disconnect()) // unread answers may wait on it
	}
	var out []kernelTable
	for _, c := range all {
		chain, ok := baseChain(c)
		if !ok || c.Table.Name == TableName(f.owner) {
			continue
		}
		i := slices.IndexFunc(out, func(t kernelTable) bool { return t.name == c.Table.Name && t.table.Family == c.Table.Family })
		if i < 0 {
			t := kernelTable{table: c.Table, otherTable: otherTable{name: c.Table.Name}}
			dormant, err := f.query.tableOf(&t)
			if errors.Is(err, unix.ENOENT) || dormant {
				continue
			}
			if err == nil {
				t.rules, err = f.query.rules(c.Table)
			}
			if err != nil {
				return nil, fmt.Errorf("table %s %s: %w", familyName(c.Table.Family), c.Table.Name, err)
			}
			i = len(out)
			out = append(out, t)
		}
		out[i].chains = append(out[i].chains, chain)
	}
	return out, nil
}

// baseChain is a chain of type filter at one of the hooks that concern us, of IP.
func baseChain(c *nftables.Chain) (otherChain, bool) {
	if c.Hooknum == nil || c.Type != nftables.ChainTypeFilter {
		return otherChain{}, false
	}
	out := otherChain{name: c.Name, drops: c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop}
	switch c.Table.Family {
	case nftables.TableFamilyIPv4:
		out.version = 4
	case nftables.TableFamilyIPv6:
		out.version = 6
	case nftables.TableFamilyINet:
	default:
		return out, false
	}
	switch *c.Hooknum {
	case *nftables.ChainHookForward:
		out.hook = hookForward
	case *nftables.ChainHookInput:
		out.hook = hookInput
	default:
		return out, false
	}
	return out, true
}

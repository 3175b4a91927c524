package nft

import (
	"encoding/binary"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// query asks the kernel for what the package nftables does not tell: which generation of rules is in force, tables' handles
// and flags, and rules with all their expressions (it passes over those that it does not know).
type query struct{ link *netlink.Conn }

func (q *query) ask(kind int, flags netlink.HeaderFlags, family nftables.TableFamily, attrs ...netlink.Attribute) ([]netlink.Message, error) {
	if q.link == nil {
		link, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
		if err != nil {
			return nil, err
		}
		q.link = link
	}
	data, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		return nil, err
	}
	reply, err := q.link.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: netlink.Request | flags},
		Data:   append([]byte{byte(family), unix.NFNETLINK_V0, 0, 0}, data...),
	})
	if err != nil {
		q.close() // unread answers may wait on it
	}
	return reply, err
}

func (q *query) close() {
	if q.link != nil {
		q.link.Close()
		q.link = nil
	}
}

// attributes calls each for the attributes of an answer.
func attributes(m netlink.Message, each func(*netlink.AttributeDecoder)) error {
	const header = 4 // struct nfgenmsg
	if len(m.Data) < header {
		return unix.EBADMSG
	}
	return decode(m.Data[header:], each)
}

func decode(b []byte, each func(*netlink.AttributeDecoder)) error {
	d, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return err
	}
	d.ByteOrder = binary.BigEndian
	for d.Next() {
		each(d)
	}
	return d.Err()
}

// generation counts the transactions of everybody.
func (q *query) generation() (uint32, error) {
	reply, err := q.ask(unix.NFT_MSG_GETGEN, 0, unix.NFPROTO_UNSPEC)
	var gen uint32
	for _, m := range reply {
		err = attributes(m, func(d *netlink.AttributeDecoder) {
			if d.Type() == unix.NFTA_GEN_ID {
				gen = d.Uint32()
			}
		})
	}
	return gen, err
}

// Flags of tables, linux/netfilter/nf_tables.h.
const (
	tableDormant = 1
	tableOwned   = 2
)

// table returns the handle, which no other table ever gets, and the flags.
func (q *query) table(t *nftables.Table) (handle uint64, flags uint32, err error) {
	const handleAttr = 4 // NFTA_TABLE_HANDLE
	reply, err := q.ask(unix.NFT_MSG_GETTABLE, 0, t.Family, netlink.Attribute{Type: unix.NFTA_TABLE_NAME, Data: []byte(t.Name + "\x00")})
	for _, m := range reply {
		err = attributes(m, func(d *netlink.AttributeDecoder) {
			switch d.Type() {
			case unix.NFTA_TABLE_FLAGS:
				flags = d.Uint32()
			case handleAttr:
				handle = d.Uint64()
			}
		})
	}
	return handle, flags, err
}

func (q *query) tableOf(t *kernelTable) (dormant bool, err error) {
	_, flags, err := q.table(t.table)
	t.owned = flags&tableOwned != 0
	return flags&tableDormant != 0, err
}

// rules reads a table's rules, by chain.
func (q *query) rules(t *nftables.Table) (map[string][]otherRule, error) {
	reply, err := q.ask(unix.NFT_MSG_GETRULE, netlink.Dump, t.Family, netlink.Attribute{Type: unix.NFTA_RULE_TABLE, Data: []byte(t.Name + "\x00")})
	if err != nil {
		return nil, err
	}
	all := make(map[string][]otherRule)
	for _, m := range reply {
		r := otherRule{always: true}
		var chain string
		err := attributes(m, func(d *netlink.AttributeDecoder) {
			switch d.Type() {
			case unix.NFTA_RULE_CHAIN:
				chain = d.String()
			case unix.NFTA_RULE_HANDLE:
				r.handle = d.Uint64()
			case unix.NFTA_RULE_USERDATA:
				comment, _ := userdata.GetString(d.Bytes(), userdata.TypeComment)
				r.comment = strings.TrimRight(comment, "\x00")
			case unix.NFTA_RULE_EXPRESSIONS:
				d.Do(func(b []byte) error {
					return decode(b, func(e *netlink.AttributeDecoder) { e.Do(r.read) })
				})
			}
		})
		if err != nil {
			return nil, err
		}
		all[chain] = append(all[chain], r)
	}
	return all, nil
}

// read takes in one expression.
func (r *otherRule) read(b []byte) error {
	var name string
	return decode(b, func(d *netlink.AttributeDecoder) {
		switch d.Type() {
		case unix.NFTA_EXPR_NAME:
			if name = d.String(); !harmless[name] {
				r.always = false
			}
			if name == "reject" {
				r.end = isDropped
			}
		case unix.NFTA_EXPR_DATA:
			switch name {
			case "immediate":
				d.Do(r.readImmediate)
			case "match", "target":
				d.Do(r.readXT)
			}
		}
	})
}

// harmless are the expressions that are no condition. Those of xtables are, or not, by their names.
var harmless = map[string]bool{"counter": true, "log": true, "immediate": true, "reject": true, "match": true, "target": true}

func (r *otherRule) readImmediate(b []byte) error {
	return decode(b, func(d *netlink.AttributeDecoder) {
		if d.Type() == unix.NFTA_IMMEDIATE_DATA {
			d.Do(func(b []byte) error {
				return decode(b, func(d *netlink.AttributeDecoder) {
					if d.Type() == unix.NFTA_DATA_VERDICT {
						d.Do(r.readVerdict)
					}
				})
			})
		}
	})
}

// Verdicts of linux/netfilter.h.
const (
	nfDrop   = 0
	nfAccept = 1
)

func (r *otherRule) readVerdict(b []byte) error {
	return decode(b, func(d *netlink.AttributeDecoder) {
		switch d.Type() {
		case unix.NFTA_VERDICT_CODE:
			switch int32(d.Uint32()) {
			case nfDrop:
				r.end = isDropped
			case nfAccept:
				r.end = isAccepted
			case unix.NFT_RETURN:
				r.end = returns
			case unix.NFT_JUMP, unix.NFT_GOTO:
				r.end = jumps
			}
		case unix.NFTA_VERDICT_CHAIN:
			r.chain = d.String()
		}
	})
}

// readXT looks at a match or a target of xtables. Both have their name first.
func (r *otherRule) readXT(b []byte) error {
	const nameAttr = 1 // NFTA_MATCH_NAME, NFTA_TARGET_NAME
	return decode(b, func(d *netlink.AttributeDecoder) {
		if d.Type() != nameAttr {
			return
		}
		switch d.String() {
		case "REJECT":
			r.end = isDropped
		case "LOG", "NFLOG", "comment":
		default:
			r.always = false
		}
	})
}

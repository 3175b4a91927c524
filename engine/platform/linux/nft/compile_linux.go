package nft

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The kernel's registers are sixteen words of four bytes. Keys and what maps answer begin at the first one.
const firstRegister = unix.NFT_REG32_00

// compiler turns rules into the kernel's expressions.
type compiler struct {
	table *nftables.Table
	sets  map[string]*nftables.Set
}

func (c compiler) rule(r rule) []expr.Any {
	var out []expr.Any
	for _, s := range r {
		out = append(out, c.statement(s)...)
	}
	return out
}

func (c compiler) statement(s statement) []expr.Any {
	switch s := s.(type) {
	case matchSet:
		return append(load(s.key), c.lookup(s.set, s.not, false))
	case matchPrefix:
		mask := lastOf(s.prefix)
		first := s.prefix.Masked().Addr().AsSlice()
		for i := range mask {
			mask[i] = ^(mask[i] ^ first[i])
		}
		return append(load(fields{s.field}),
			&expr.Bitwise{SourceRegister: firstRegister, DestRegister: firstRegister, Len: uint32(len(mask)), Mask: mask, Xor: make([]byte, len(mask))},
			&expr.Cmp{Op: expr.CmpOpEq, Register: firstRegister, Data: first})
	case matchProto:
		return append(load(fields{l4proto}), &expr.Cmp{Op: expr.CmpOpEq, Register: firstRegister, Data: []byte{s.number}})
	case matchEstablished:
		return ctBits(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)
	case matchTranslated:
		const ipsDstNAT = 1 << 5 // enum ip_conntrack_status of linux/netfilter/nf_conntrack_common.h
		return ctBits(expr.CtKeySTATUS, ipsDstNAT)
	case matchNotLocal:
		return []expr.Any{
			&expr.Fib{Register: firstRegister, FlagDADDR: true, ResultADDRTYPE: true},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: firstRegister, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
		}
	case matchLoopback:
		return append(load(fields{oifname}), &expr.Cmp{Op: expr.CmpOpEq, Register: firstRegister, Data: nameValue("lo").bytes})
	case matchVersion:
		return matchIP(s.version)
	case translate:
		return c.translate(s)
	case masquerade:
		return []expr.Any{&expr.Masq{}}
	case jump:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: s.chain}}
	case verdict:
		return []expr.Any{&expr.Verdict{Kind: map[verdict]expr.VerdictKind{accept: expr.VerdictAccept, drop: expr.VerdictDrop, leave: expr.VerdictReturn}[s]}}
	}
	panic(fmt.Sprintf("statement %T is not compiled", s)) // the set of statements is closed
}

func (c compiler) translate(t translate) []expr.Any {
	nat := &expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: firstRegister}
	if t.version == 6 {
		nat.Family = unix.NFPROTO_IPV6
	}
	if t.source {
		nat.Type = expr.NATTypeSourceNAT
	}
	if len(t.to.values) > 1 { // address and port
		nat.RegProtoMin = firstRegister + uint32(padded(fieldInfo[t.to.values[0]].size)/4)
		nat.Specified = true
	}
	return append(load(t.key), c.lookup(t.to, false, true), nat)
}

func (c compiler) lookup(s set, not, answer bool) expr.Any {
	l := &expr.Lookup{SourceRegister: firstRegister, SetName: s.name, SetID: c.sets[s.name].ID, Invert: not}
	if answer {
		l.DestRegister, l.IsDestRegSet = firstRegister, true
	}
	return l
}

// load puts a key into the registers, each field at the next word. It holds only for packets that have such fields.
func load(key fields) []expr.Any {
	var out []expr.Any
	if v := key.family(); v != 0 {
		out = matchIP(v)
	}
	register := uint32(firstRegister)
	for _, f := range key {
		out = append(out, loadField(f, register))
		register += uint32(padded(fieldInfo[f].size) / 4)
	}
	return out
}

func loadField(f field, register uint32) expr.Any {
	// Where addresses stand in the header: RFC 791 3.1, RFC 8200 3.
	offsets := map[field]uint32{saddr4: 12, daddr4: 16, saddr6: 8, daddr6: 24}
	switch f {
	case iifname:
		return &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: register}
	case oifname:
		return &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: register}
	case l4proto:
		return &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register}
	case dport:
		return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
	}
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offsets[f], Len: uint32(fieldInfo[f].size)}
}

func matchIP(version int) []expr.Any {
	number := byte(unix.NFPROTO_IPV4)
	if version == 6 {
		number = unix.NFPROTO_IPV6
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: firstRegister},
		&expr.Cmp{Op: expr.CmpOpEq, Register: firstRegister, Data: []byte{number}},
	}
}

func ctBits(key expr.CtKey, bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: key, Register: firstRegister},
		&expr.Bitwise{SourceRegister: firstRegister, DestRegister: firstRegister, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: firstRegister, Data: make([]byte, 4)},
	}
}
